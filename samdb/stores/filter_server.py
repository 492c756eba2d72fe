"""Conditions as filters of the Qdrant server."""

from __future__ import annotations

from collections.abc import Iterable

from qdrant_client import models

from samdb.core.points import Condition, Scalar, Where
from samdb.stores.json_path import json_path


def server_filter(where: Where, exclude_ids: Iterable[str] = ()) -> models.Filter | None:
    """The filter for conditions that must all hold, leaving out some ids; None when there is none."""
    must: list[models.Condition] = []
    must_not: list[models.Condition] = []
    for condition in where:
        key = json_path(condition.key)
        if condition.op == "=":
            must.append(models.Filter(should=_any_of(key, condition.values)))
        elif condition.op == "!=":
            must_not.extend(_any_of(key, condition.values))
        else:
            must.append(models.FieldCondition(key=key, range=_range(condition)))
    excluded = sorted(exclude_ids)
    if excluded:
        must_not.append(models.HasIdCondition(has_id=list(excluded)))
    return models.Filter(must=must, must_not=must_not) if must or must_not else None


def _any_of(key: str, values: tuple[Scalar, ...]) -> list[models.Condition]:
    found: list[models.Condition] = []
    texts = [v for v in values if isinstance(v, str)]
    if texts:
        found.append(models.FieldCondition(key=key, match=models.MatchAny(any=texts)))
    for value in values:
        if isinstance(value, bool):
            found.append(models.FieldCondition(key=key, match=models.MatchValue(value=value)))
        elif isinstance(value, (int, float)):
            # a range, so that 3 finds 3.0 too
            found.append(models.FieldCondition(key=key, range=models.Range(gte=value, lte=value)))
    return found


def _range(condition: Condition) -> models.Range:
    value = float(condition.values[0])
    match condition.op:
        case ">":
            return models.Range(gt=value)
        case ">=":
            return models.Range(gte=value)
        case "<":
            return models.Range(lt=value)
        case _:
            return models.Range(lte=value)
