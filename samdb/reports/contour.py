"""A mask drawn on a picture: its inside tinted, its outline smooth at any size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from samdb.reports.palette import RGB

#: a picture being painted: (H, W, 3) float32 in [0, 255]
Canvas = NDArray[np.float32]


#: how many sigmas from the edge a blurred value (0-255) lies; 0 and 255 are out of reach
_SIGMAS_AWAY: NDArray[np.float32] = np.array(
    [math.inf, *(abs(NormalDist().inv_cdf(v / 255)) for v in range(1, 255)), math.inf], dtype=np.float32
)


@dataclass(frozen=True, slots=True)
class Stroke:
    """How a mask is drawn: the tint of its inside in [0, 1], the outline's width in px and its opacity."""

    color: RGB
    fill: float
    width_px: float
    opacity: float = 1.0
    halo: float = 0.5


def paint_mask(canvas: Canvas, mask: NDArray[np.bool_], origin_xy: tuple[int, int], stroke: Stroke) -> None:
    """Paint a mask (h, w) in place, its corner at `origin_xy`; what lies outside the canvas is cut off.

    The mask is blurred: near a straight edge the blurred value at a distance d from it is the normal
    distribution of d / sigma, so that the distance can be read back and a smooth line drawn along it.
    """
    if not mask.any():
        return
    pad = math.ceil(2 * stroke.width_px + 3)
    padded = _padded(mask, pad, origin_xy, (canvas.shape[1], canvas.shape[0]))
    # a blur wider than the object would wash it away
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    thin = int(min(rows[-1] - rows[0], cols[-1] - cols[0])) + 1
    sigma = max(0.6, min(stroke.width_px * 0.75, thin / 5))
    blurred = Image.fromarray(padded.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(sigma))
    away = _SIGMAS_AWAY[np.asarray(blurred)] * np.float32(sigma)
    x0, y0 = origin_xy[0] - pad, origin_xy[1] - pad
    cut_y = slice(max(0, -y0), min(away.shape[0], canvas.shape[0] - y0))
    cut_x = slice(max(0, -x0), min(away.shape[1], canvas.shape[1] - x0))
    if cut_y.start >= cut_y.stop or cut_x.start >= cut_x.stop:
        return
    away = away[cut_y, cut_x]
    target = canvas[y0 + cut_y.start : y0 + cut_y.stop, x0 + cut_x.start : x0 + cut_x.stop]
    if stroke.fill:
        inside = padded[cut_y, cut_x].astype(np.float32)
        _blend(target, stroke.color, inside * stroke.fill)
    if stroke.halo:
        _blend(target, (0, 0, 0), _line(away, stroke.width_px + 2.0) * (stroke.halo * stroke.opacity))
    _blend(target, stroke.color, _line(away, stroke.width_px) * stroke.opacity)


def resized_mask(mask: NDArray[np.bool_], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (h, w) at another size; the steps of its pixels are rounded when it grows."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize(size_wh, Image.Resampling.BILINEAR)
    growth = size_wh[0] / mask.shape[1]
    if growth > 1.5:
        grey = grey.filter(ImageFilter.GaussianBlur(0.6 * growth))
    return np.asarray(grey) >= 128


def _padded(
    mask: NDArray[np.bool_], pad: int, origin_xy: tuple[int, int], canvas_wh: tuple[int, int]
) -> NDArray[np.bool_]:
    """The mask with a margin; where it ends at the picture's edge it goes on, so no line is drawn there."""
    (x, y), (width, height) = origin_xy, canvas_wh
    at_edge = ((y <= 0, y + mask.shape[0] >= height), (x <= 0, x + mask.shape[1] >= width))
    for axis, sides in enumerate(at_edge):
        for side, touches in enumerate(sides):
            margin = [(0, 0), (0, 0)]
            margin[axis] = (0, pad) if side else (pad, 0)
            mask = np.pad(mask, margin, mode="edge") if touches else np.pad(mask, margin)
    return mask


def _line(away_px: NDArray[np.float32], width_px: float) -> NDArray[np.float32]:
    """Opacity (h, w) of a line of `width_px`, its edges one pixel soft."""
    return np.asarray(np.clip(width_px / 2 - away_px + 0.5, 0.0, 1.0), dtype=np.float32)


def _blend(target: Canvas, color: RGB, alpha: NDArray[np.float32]) -> None:
    target += (np.asarray(color, dtype=np.float32) - target) * alpha[..., None]
