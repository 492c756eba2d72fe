"""JSON values that must be of a type: each returns the value, or raises ValueError saying what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from samdb.core.bank import Setting


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} should be text")
    return value


def optional_text(value: object) -> str | None:
    """A string or null."""
    return None if value is None else text(value)


def whole(value: object) -> int:
    """An integer; true and 1.0 are none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} should be a whole number")
    return value


def number(value: object) -> float:
    """Any number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r} should be a number")
    return float(value)


def scalar(value: object) -> Setting:
    """Text, a number, a boolean or null."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError(f"{value!r} should be text, a number, true, false or null")


def items(value: object) -> Sequence[object]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError(f"{value!r} should be a list")
    return value


def mapping(value: object) -> Mapping[str, object]:
    """An object."""
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} should be an object")
    return value
