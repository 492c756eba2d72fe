"""The filter language of `--where`: `class_name=car,truck`, `area_px>=2000`, `flags!=sub_cell`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from samdb.core.points import Condition, Operator, Scalar, Where
from samdb.errors import ConfigError

_PATTERN = re.compile(r"^\s*([A-Za-z_][\w.]*)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*$")
# payload keys whose text looks like a number or a boolean but is not one
_TEXT_KEYS = frozenset({"image_id", "dataset", "split", "class_name", "label_id", "segment_id", "run"})


def parse_where(expressions: Iterable[str]) -> Where:
    """Parse filter expressions; all must hold. Raises ConfigError on one that cannot be read."""
    return tuple(_parse(text) for text in expressions)


def _parse(text: str) -> Condition:
    match = _PATTERN.match(text)
    if not match:
        raise ConfigError(
            f"cannot read the filter {text!r}: write key=value, key=a,b, key!=value or key>=number, "
            "for example class_name=car"
        )
    key, op, raw = match.groups()
    operator: Operator = op  # type: ignore[assignment]  # the pattern admits only operators
    parts = [p.strip() for p in raw.split(",")] if op in ("=", "!=") else [raw]
    values = tuple(p if key in _TEXT_KEYS else _value(p) for p in parts if p)
    try:
        return Condition(key, operator, values)
    except ValueError as exc:
        raise ConfigError(f"cannot use the filter {text!r}: {exc}") from exc


def _value(text: str) -> Scalar:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text
