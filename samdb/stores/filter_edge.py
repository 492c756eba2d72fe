"""Conditions as filters of the embedded engine."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import qdrant_edge as qe

from samdb.core.points import Condition, Scalar, Where
from samdb.stores.json_path import json_path


def edge_filter(where: Where, exclude_ids: Iterable[str] = ()) -> qe.Filter | None:
    """The filter for conditions that must all hold, leaving out some ids; None when there is none."""
    must: list[qe.ConditionType] = []
    must_not: list[qe.ConditionType] = []
    for condition in where:
        key = json_path(condition.key)
        if condition.op == "=":
            must.append(qe.Filter(should=_any_of(key, condition.values)))
        elif condition.op == "!=":
            must_not.extend(_any_of(key, condition.values))
        else:
            must.append(qe.FieldCondition(key=key, range=_range(condition)))
    excluded: set[qe.PointId] = set(exclude_ids)
    if excluded:
        must_not.append(qe.HasIdCondition(excluded))
    return qe.Filter(must=must, must_not=must_not) if must or must_not else None


def _any_of(key: str, values: tuple[Scalar, ...]) -> list[qe.ConditionType]:
    found: list[qe.ConditionType] = []
    texts = [v for v in values if isinstance(v, str)]
    if texts:
        found.append(qe.FieldCondition(key=key, match=qe.MatchAny(texts)))
    for value in values:
        if isinstance(value, bool):
            # qdrant-edge-py 0.9.0 takes Python's bool for the integer it also is, and then matches nothing;
            # numpy's bool it takes for a boolean
            match = qe.MatchValue(np.bool_(value))  # type: ignore[arg-type]
            found.append(qe.FieldCondition(key=key, match=match))
        elif isinstance(value, (int, float)):
            # a range, so that 3 finds 3.0 too
            found.append(qe.FieldCondition(key=key, range=qe.RangeFloat(gte=value, lte=value)))
    return found


def _range(condition: Condition) -> qe.RangeFloat:
    value = float(condition.values[0])
    match condition.op:
        case ">":
            return qe.RangeFloat(gt=value)
        case ">=":
            return qe.RangeFloat(gte=value)
        case "<":
            return qe.RangeFloat(lt=value)
        case _:
            return qe.RangeFloat(lte=value)
