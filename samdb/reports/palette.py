"""One colour per class, the same in every picture."""

from __future__ import annotations

import colorsys
import hashlib
from typing import TypeAlias

RGB: TypeAlias = tuple[int, int, int]

#: segments without a class
GREY: RGB = (178, 184, 192)

# Okabe and Ito's palette, brightened for night frames: neighbours in hue differ in lightness, so that the
# classes stay apart without red-green vision. Source: jfly.uni-koeln.de/color
_NAMED: dict[str, RGB] = {
    "car": (64, 156, 255),
    "pedestrian": (255, 112, 67),
    "rider": (232, 120, 190),
    "bicycle": (0, 190, 130),
    "motorcycle": (160, 110, 255),
    "truck": (0, 214, 226),
    "bus": (250, 226, 70),
    "train": (176, 124, 84),
    "traffic light": (255, 64, 110),
    "traffic sign": (255, 178, 40),
    "road": (128, 100, 150),
    "other vehicle": (120, 200, 170),
    "trailer": (110, 140, 190),
    "other person": (235, 160, 140),
}
_SAME_AS = {
    "person": "pedestrian",
    "bike": "bicycle",
    "motor": "motorcycle",
    "stop sign": "traffic sign",
}


def class_color(class_name: str | None) -> RGB:
    """The colour of a class: fixed for driving classes, by the name's hash for all others, grey for None."""
    if class_name is None:
        return GREY
    named = _NAMED.get(_SAME_AS.get(class_name, class_name))
    if named is not None:
        return named
    digest = hashlib.sha256(class_name.encode()).digest()
    # 24 hues at three lightnesses: bright enough for dark frames, never near the grey of "no class"
    hue, lightness = digest[0] % 24 / 24, (0.52, 0.62, 0.72)[digest[1] % 3]
    r, g, b = colorsys.hls_to_rgb(hue, lightness, 0.78)
    return round(r * 255), round(g * 255), round(b * 255)


def ink_on(color: RGB) -> RGB:
    """Black or white, whichever is easier to read on `color` (relative luminance, WCAG 2)."""
    linear = [(v / 255 / 12.92) if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in color]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (16, 18, 22) if luminance > 0.179 else (255, 255, 255)
