"""Small pictures for a screen: a segment in its surroundings, an image scaled down; as JPEG bytes."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.reports.contour import Canvas, Stroke, paint_mask, resized_mask
from samdb.reports.palette import RGB
from samdb.reports.sheet import context_box

#: what is left of the light outside the object
_DIM = 0.6
_OUTLINE: RGB = (255, 214, 64)
_QUALITY = 85


def draw_crop(
    image: NDArray[np.uint8],
    mask: Rle,
    box_xyxy: Box,
    side_px: int,
    context: float = 1.6,
    outline: bool = True,
) -> Image.Image:
    """A segment of an RGB image (H, W, 3) in its surroundings: a square picture, or what the image has of it.

    The longest side is `side_px`; `context` is how much is shown, times the segment's box. With `outline` the
    surroundings are dimmed and the segment is outlined. Raises ValueError when the mask is of another size.
    """
    if mask.size_hw != image.shape[:2]:
        raise ValueError(f"a mask of size {mask.size_hw} was given for an image of {image.shape[:2]}")
    x0, y0, x1, y1 = context_box(box_xyxy, mask.size_hw, 1.0, context)
    scale = side_px / max(x1 - x0, y1 - y0)
    size_wh = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    photo = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1])).resize(
        size_wh, Image.Resampling.LANCZOS
    )
    if not outline:
        return photo
    canvas: Canvas = np.array(photo, dtype=np.float32)
    inside = resized_mask(mask.decode()[y0:y1, x0:x1], size_wh)
    canvas *= np.where(inside, 1.0, _DIM).astype(np.float32)[..., None]
    width_px = max(1.5, side_px / 96)
    paint_mask(canvas, inside, (0, 0), Stroke(_OUTLINE, fill=0.0, width_px=width_px, halo=0.6))
    return Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))


def scaled_down(image: NDArray[np.uint8], side_px: int) -> Image.Image:
    """An RGB image (H, W, 3) whose longest side is at most `side_px`; it is never enlarged."""
    return shrunk(Image.fromarray(image), side_px)


def shrunk(photo: Image.Image, side_px: int) -> Image.Image:
    """The picture with a longest side of at most `side_px`; it is never enlarged."""
    scale = side_px / max(photo.size)
    if scale >= 1:
        return photo
    size_wh = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.resize(size_wh, Image.Resampling.LANCZOS, reducing_gap=2.0)


def jpeg_bytes(image: Image.Image) -> bytes:
    """The picture as JPEG, small rather than perfect."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
