"""Reading JSON label files without trusting them: any shape, any size, `NaN` and `Infinity` included."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from samdb.errors import DatasetError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
#: called on every object as soon as it is read, innermost first; what it returns takes the object's place
Slim: TypeAlias = Callable[[dict[str, "Json"]], "Json"]


def read_json(path: Path, slim: Slim | None = None) -> Json:
    """The content of a JSON file; the literals NaN and Infinity become floats, to be refused where used.

    `slim` lets a reader throw away what it will not need while the file is still being parsed.

    Raises DatasetError when the file cannot be read or is not JSON.
    """
    try:
        # utf-8-sig: files written on Windows may start with a byte order mark
        text = path.read_text(encoding="utf-8-sig")
        parsed: Json = json.loads(text, object_hook=slim)
    except OSError as exc:
        raise DatasetError(
            f"{path}: cannot be read ({exc.strerror or exc}); check the file and its permissions"
        ) from exc
    except UnicodeDecodeError as exc:
        raise DatasetError(f"{path}: is not text in UTF-8; download or export it again") from exc
    except RecursionError as exc:
        raise DatasetError(f"{path}: is nested too deeply to be a label file") from exc
    except ValueError as exc:
        what = "is empty" if path.stat().st_size == 0 else f"is broken JSON ({exc})"
        raise DatasetError(f"{path}: {what}; download or export it again") from exc
    return parsed


def as_object(value: Json) -> dict[str, Json]:
    """The value when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """The value when it is a JSON list, else an empty one."""
    return value if isinstance(value, list) else []


def as_number(value: Json, what: str) -> float:
    """The value as a float, which may be NaN or infinite.

    Raises DatasetError when it is missing or not a number; a boolean or a text is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DatasetError(
            f"{what} is missing" if value is None else f"{what} is {value!r:.40}, not a number"
        )
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def as_numbers(value: Json, count: int, what: str) -> tuple[float, ...]:
    """The value as exactly `count` floats. Raises DatasetError when it is anything else."""
    if not isinstance(value, list) or len(value) != count:
        raise DatasetError(f"{what} is {value!r:.60}, not a list of {count} numbers")
    return tuple(as_number(item, what) for item in value)


def as_text(value: Json) -> str | None:
    """The value as text when it is a text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def as_id(value: Json) -> str | None:
    """The value as an id, when it can be one: a text or a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    return str(value) or None
