"""A mask as one polygon, for formats that have nothing else: holes and pieces joined by lines of no width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle, mask_iou
from samdb.core.rings import outline_rings, ring_area, simplified

#: how far a polygon may stray from the mask: never below this IoU, drawn by COCO's rule
MIN_IOU = 0.95
# tolerances in px and areas in px² below which pieces and holes are left out, the shortest text first
_TRIES = ((1.0, 16.0), (0.7, 4.0), (0.0, 0.0))

_Points = NDArray[np.float64]


def joined_polygon(mask: Rle) -> list[float]:
    """The mask as one polygon `[x0, y0, x1, y1, ...]` in px, its IoU with the mask at least `MIN_IOU`.

    It runs along the pixels' edges, so that its extent is that of the mask's box. Pieces and holes are joined
    where they are nearest by a line there and back, as Ultralytics does: filled by the even-odd rule holes
    stay holes. Raises ValueError when the mask is empty.
    """
    if mask.area_px == 0:
        raise ValueError("an empty mask has no outline")
    left, top, right, bottom = (int(v) for v in mask.box_xyxy)
    rings = outline_rings(mask.decode()[top:bottom, left:right])
    rings.sort(key=lambda ring: -abs(ring_area(ring)))
    polygon: list[float] = []
    for tolerance_px, min_area_px in _TRIES:
        kept = [r for i, r in enumerate(rings) if i == 0 or abs(ring_area(r)) >= min_area_px]
        points = np.add(_joined([simplified(ring, tolerance_px) for ring in kept]), (left, top))
        polygon = [float(v) for v in points.ravel()]
        if (*points.min(axis=0), *points.max(axis=0)) != (left, top, right, bottom):
            continue  # a piece that was left out reached out farther
        if mask_iou([Rle.from_polygons([polygon], mask.size_hw)], [mask])[0, 0] >= MIN_IOU:
            break
    return polygon


def _joined(rings: list[_Points]) -> _Points:
    """The rings as one: each is entered from the point nearest to it, walked around, and left there."""
    whole = rings[0]
    for ring in rings[1:]:
        away = np.square(whole[:, None, :] - ring[None, :, :]).sum(axis=2)
        here, there = np.unravel_index(int(away.argmin()), away.shape)
        turned = np.roll(ring, -int(there), axis=0)
        whole = np.concatenate([whole[: here + 1], turned, turned[:1], whole[here:]])
    return whole
