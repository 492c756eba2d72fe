"""Text on pictures: fonts, sizes and shortened lines."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

from samdb.reports.palette import RGB

#: the page around the photographs, and its inks
PAGE: RGB = (19, 22, 27)
RULE: RGB = (52, 58, 66)
BRIGHT: RGB = (238, 241, 245)
QUIET: RGB = (152, 160, 171)


@lru_cache(maxsize=64)
def font(size_px: int) -> FreeTypeFont:
    """Pillow's own font (Aileron) at a size; it travels with Pillow, so pictures look alike everywhere."""
    loaded = ImageFont.load_default(size=max(8, size_px))
    if not isinstance(loaded, FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType: install Pillow from its official wheel")
    return loaded


def text_width(text: str, face: FreeTypeFont) -> int:
    """The width of a line in px."""
    return round(face.getlength(text))


def line_height(face: FreeTypeFont) -> int:
    """The height of a line from the top of the tallest to the bottom of the deepest letter, in px."""
    ascent, descent = face.getmetrics()
    return ascent + descent


def shortened(text: str, face: FreeTypeFont, width_px: int) -> str:
    """The text, its middle replaced by an ellipsis when it is wider than `width_px`."""
    if text_width(text, face) <= width_px:
        return text
    for keep in range(len(text) - 1, 0, -1):
        head = (keep + 1) // 2
        short = text[:head] + "…" + text[len(text) - (keep - head) :]
        if text_width(short, face) <= width_px:
            return short
    return "…"
