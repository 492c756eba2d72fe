"""Conditions on plain payloads: the reference meaning that the Qdrant filters must agree with."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from samdb.core.points import Condition, Operator, Payload, PayloadValue, Scalar, Where

_COMPARE: Mapping[Operator, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def matches(payload: Payload, where: Where) -> bool:
    """Whether all conditions hold for the payload."""
    return all(_holds(payload, condition) for condition in where)


def elements(payload: PayloadValue, key: str) -> Iterator[Scalar]:
    """The values under a key (dots lead into objects), a list giving each of its elements."""
    if isinstance(payload, Mapping):
        if key in payload:
            yield from _flat(payload[key])
        elif "." in key:
            head, rest = key.split(".", 1)
            yield from elements(payload.get(head), rest)


def _holds(payload: Payload, condition: Condition) -> bool:
    found = elements(payload, condition.key)
    if condition.op == "=":
        return any(_same(value, wanted) for value in found for wanted in condition.values)
    if condition.op == "!=":
        return not any(_same(value, wanted) for value in found for wanted in condition.values)
    limit = condition.values[0]
    assert not isinstance(limit, str)  # Condition admits only a number here
    compare = _COMPARE[condition.op]
    return any(compare(v, limit) for v in found if isinstance(v, (int, float)) and not isinstance(v, bool))


def _same(value: Scalar, wanted: Scalar) -> bool:
    # True == 1 in Python, but not in a payload
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def _flat(value: PayloadValue) -> Iterator[Scalar]:
    if isinstance(value, (str, int, float, bool)):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, (str, int, float, bool)):
                yield item
