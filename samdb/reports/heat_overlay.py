"""How much each place of a photograph resembles one object in it, as a heat map over the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samdb.core.masks import Rle
from samdb.reports.contour import Canvas, Stroke, paint_mask, resized_mask
from samdb.reports.lettering import BRIGHT, PAGE, QUIET, font, line_height, shortened, text_width

_LONG_SIDE_PX = 1280
#: cosines between these percentiles span the colours: features of one image are all rather alike
_SPAN = (5.0, 99.5)
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def draw_similarity(
    image: NDArray[np.uint8], mask: Rle, cosines: NDArray[np.float32], title: str
) -> Image.Image:
    """Draw the cosines (H, W) over an RGB image (H, W, 3), the object outlined in white, a scale below.

    The photograph is grey and the more it resembles the object, the more it is covered by colour.

    Raises ValueError when mask or cosines are of another image's size.
    """
    if mask.size_hw != image.shape[:2] or cosines.shape != image.shape[:2]:
        raise ValueError(
            f"an image of {image.shape[:2]} needs a mask and cosines of its size, "
            f"got {mask.size_hw} and {cosines.shape}"
        )
    scale = _LONG_SIDE_PX / max(image.shape[:2])
    size_wh = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    low, high = (float(v) for v in np.percentile(cosines, _SPAN))
    share = np.clip((cosines - low) / max(high - low, 1e-6), 0.0, 1.0).astype(np.float32)
    share = np.asarray(Image.fromarray(share).resize(size_wh, Image.Resampling.BILINEAR))[..., None]
    photo = np.asarray(Image.fromarray(image).resize(size_wh, Image.Resampling.LANCZOS), dtype=np.float32)
    grey = np.repeat((photo @ _GREY)[..., None], 3, axis=2) * 0.8
    cover = 0.75 * share**1.5
    canvas: Canvas = (grey * (1 - cover) + _colours(share[..., 0]) * cover).astype(np.float32)
    outline = resized_mask(mask.decode(), size_wh)
    paint_mask(canvas, outline, (0, 0), Stroke((255, 255, 255), fill=0.0, width_px=3.0, halo=0.7))
    drawn = Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))
    return _framed(drawn, title, (low, high))


def _framed(photo: Image.Image, title: str, span: tuple[float, float]) -> Image.Image:
    """The picture with its title above and the scale of colours below."""
    head, face, small = font(20), font(17), font(15)
    top, bottom = line_height(head) + 20, 52
    page = Image.new("RGB", (photo.width, top + photo.height + bottom), PAGE)
    draw = ImageDraw.Draw(page)
    draw.text((16, 9), shortened(title, head, photo.width - 32), font=head, fill=BRIGHT)
    page.paste(photo, (0, top))
    y, width = top + photo.height + 16, min(320, photo.width // 3)
    texts = (f"{span[0]:.2f}", f"{span[1]:.2f}  cosine to the outlined object")
    x = 16 + text_width(texts[0], face) + 10
    ramp = _colours(np.tile(np.linspace(0, 1, width, dtype=np.float32), (20, 1)))
    page.paste(Image.fromarray(ramp.astype(np.uint8)), (x, y))
    draw.text((16, y), texts[0], font=face, fill=BRIGHT)
    draw.text((x + width + 10, y), texts[1].split("  ")[0], font=face, fill=BRIGHT)
    after = x + width + 10 + text_width(texts[1].split("  ")[0], face) + 12
    draw.text((after, y + 1), texts[1].split("  ")[1], font=small, fill=QUIET)
    return page


def _colours(share: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours (..., 3) in [0, 255] of shares in [0, 1]: dark violet to yellow, lighter all the way."""
    from matplotlib import colormaps

    return np.asarray(colormaps["plasma"](share)[..., :3] * 255, dtype=np.float32)
