"""The outline of a mask as polygons, for drawing: a few corners instead of every pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.rings import outline_rings, ring_area, simplified

#: a corner is left out when the line without it passes this close, in px
TOLERANCE_PX = 0.6

_Floats = NDArray[np.float64]


def mask_outlines(mask: Rle, tolerance_px: float = TOLERANCE_PX) -> list[list[float]]:
    """The outlines of a mask, each `[x0, y0, x1, y1, ...]` in px of the image, outer ones and those of holes.

    Filled together by the even-odd rule they are the mask, to `tolerance_px` and half a pixel: the line runs
    through the middles of the pixels' edges, so that a slope is a line and no staircase. The largest outline
    comes first; an empty mask has none.
    """
    if mask.area_px == 0:
        return []
    left, top, right, bottom = (int(v) for v in mask.box_xyxy)
    window = mask.decode()[top:bottom, left:right]
    rings = [simplified(_middles(ring), tolerance_px) for ring in outline_rings(window)]
    rings.sort(key=lambda ring: -abs(ring_area(ring)))
    corner = np.array([left, top])
    return [np.round(ring + corner, 1).ravel().tolist() for ring in rings]


def _middles(ring: _Floats) -> _Floats:
    """The middles (M, 2) of the pixel edges along a ring of corners (N, 2)."""
    step = np.roll(ring, -1, axis=0) - ring
    lengths = np.abs(step).sum(axis=1).astype(np.int64)
    start, unit = np.repeat(ring, lengths, axis=0), np.repeat(np.sign(step), lengths, axis=0)
    place = np.arange(len(start)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.asarray(start + unit * (place + 0.5)[:, None])
