"""Attributes of frames and of labels, as samdb keeps them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from samdb.core.sample import Attribute
from samdb.datasets.json_file import Json, as_object

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s\-]+")
_SWITCHES = frozenset({"occluded", "truncated", "crowd", "ignored"})
# det_20 writes one letter where the 2018 files write the word
_LIGHT_COLORS = {"G": "green", "R": "red", "Y": "yellow", "NA": "none"}


def frame_attributes(raw: Json) -> dict[str, Attribute]:
    """Attributes of an image (weather, scene, timeofday, ...) under their own names, values as given.

    What is not a text, a finite number or a boolean is left out.
    """
    return {key: value for key, value in as_object(raw).items() if _usable(value)}  # type: ignore[misc]


def label_attributes(raw: Json, class_name: str) -> dict[str, Attribute]:
    """Attributes of an object under snake-case names: `occluded`, `truncated` as booleans, the rest as given.

    `traffic_light_color` is kept on traffic lights only, as green, red, yellow or none in both vocabularies
    of BDD100K (det_20 says G, R, Y and NA): one word inside.
    """
    found: dict[str, Attribute] = {}
    for key, value in as_object(raw).items():
        name = _snake(key)
        if not _usable(value):
            continue
        if name in _SWITCHES:
            found[name] = is_on(value)
        elif name != "traffic_light_color":
            found[name] = value  # type: ignore[assignment]
        elif class_name == "traffic light":
            found[name] = _LIGHT_COLORS.get(str(value), str(value))
    return found


def is_ignored(attributes: Mapping[str, Attribute]) -> bool:
    """Whether the attributes mark a crowd or a region to leave out."""
    return bool(attributes.get("crowd") or attributes.get("ignored"))


def is_on(value: Json) -> bool:
    """Whether a switch is on; some exporters write it as a number or as text."""
    return value.strip().lower() in {"true", "1", "yes"} if isinstance(value, str) else bool(value)


def _usable(value: Json) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


@lru_cache(maxsize=1024)
def _snake(key: str) -> str:
    return _HUMP.sub("_", key).lower()
