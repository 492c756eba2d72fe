"""A mask as one polygon, for formats that have nothing else: holes and pieces joined by lines of no width."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle, mask_iou

#: how far a polygon may stray from the mask: never below this IoU, drawn by COCO's rule
MIN_IOU = 0.95
# tolerances in px and areas in px² below which pieces and holes are left out, the shortest text first
_TRIES = ((1.0, 16.0), (0.7, 4.0), (0.0, 0.0))

_Ints = NDArray[np.int64]


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
    rings.sort(key=lambda ring: -abs(_area(ring)))
    polygon: list[float] = []
    for tolerance_px, min_area_px in _TRIES:
        kept = [r for i, r in enumerate(rings) if i == 0 or abs(_area(r)) >= min_area_px]
        points = np.add(_joined([_simplified(ring, tolerance_px) for ring in kept]), (left, top))
        polygon = [float(v) for v in points.ravel()]
        if (*points.min(axis=0), *points.max(axis=0)) != (left, top, right, bottom):
            continue  # a piece that was left out reached out farther
        if mask_iou([Rle.from_polygons([polygon], mask.size_hw)], [mask])[0, 0] >= MIN_IOU:
            break
    return polygon


def outline_rings(mask: NDArray[np.bool_]) -> list[_Ints]:
    """The closed outlines (N, 2) of a mask (h, w) as x, y of grid points, of pieces and of holes.

    Filled together by the even-odd rule they are the mask, exactly. Pixels that only touch at a corner are
    pieces of their own.

    A grid point is a corner of an outline when one or three of the four pixels around it are set, or two
    that touch there only. Along a row, and along a column, corners belong together in pairs.
    """
    padded = np.pad(mask, 1)
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    crossing = (a == d) & (b == c) & (a != b)
    ys, xs = np.nonzero((a ^ b ^ c ^ d) | crossing)
    # two outlines meet where pixels touch at a corner: the point counts twice. Its first copy ends the edge
    # on its left; that copy has the edge above when the upper left pixel is set, else the one below
    twice = np.repeat(np.arange(len(ys)), 1 + crossing[ys, xs])
    copy = np.zeros(len(twice), dtype=np.int64)
    copy[1:] = twice[1:] == twice[:-1]
    ys, xs = ys[twice], xs[twice]
    upper = np.where(crossing[ys, xs] & ~a[ys, xs], 1 - copy, copy)
    across = _partners(np.lexsort((copy, xs, ys)))
    down = _partners(np.lexsort((upper, ys, xs)))
    rings: list[_Ints] = []
    seen = bytearray(len(xs))
    for first in range(len(xs)):
        ring: list[int] = []
        at = first
        while not seen[at]:
            other = across[at]
            seen[at] = seen[other] = 1
            ring += (at, other)
            at = down[other]
        if ring:
            rings.append(np.stack([xs[ring], ys[ring]], axis=1))
    return rings


def _partners(order: _Ints) -> list[int]:
    """For each corner the one it is joined to, when corners are joined in pairs in this order."""
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return [int(p) for p in partner]


def _joined(rings: list[_Ints]) -> _Ints:
    """The rings as one: each is entered from the point nearest to it, walked around, and left there."""
    whole = rings[0]
    rest = rings[1:]
    while rest:
        nearest = [_nearest(whole, ring) for ring in rest]
        index = min(range(len(rest)), key=lambda i: nearest[i][0])
        _, here, there = nearest[index]
        ring = np.roll(rest.pop(index), -there, axis=0)
        whole = np.concatenate([whole[: here + 1], ring, ring[:1], whole[here:]])
    return whole


def _nearest(whole: _Ints, ring: _Ints) -> tuple[int, int, int]:
    """The squared distance of the two nearest points, and their places."""
    away = np.square(whole[:, None, :] - ring[None, :, :]).sum(axis=2)
    here, there = np.unravel_index(int(away.argmin()), away.shape)
    return int(away[here, there]), int(here), int(there)


def _simplified(ring: _Ints, tolerance_px: float) -> _Ints:
    """The ring without the points that lie within the tolerance of the line without them; its extremes stay.

    Source: Douglas and Peucker (1973), between the ring's outermost points.
    """
    if tolerance_px <= 0 or len(ring) <= 4:
        return ring
    fixed = sorted({int(f(ring[:, axis])) for f in (np.argmin, np.argmax) for axis in (0, 1)})
    closed = np.concatenate([ring, ring[: fixed[0] + 1]])
    keep = np.zeros(len(closed), dtype=bool)
    keep[fixed] = True
    spans = list(zip(fixed, [*fixed[1:], len(ring) + fixed[0]], strict=True))
    while spans:
        low, high = spans.pop()
        if high - low < 2:
            continue
        along = closed[high] - closed[low]
        inner = closed[low + 1 : high] - closed[low]
        length = float(np.hypot(along[0], along[1]))
        if length == 0:
            away = np.hypot(inner[:, 0], inner[:, 1])
        else:
            away = np.abs(inner[:, 0] * along[1] - inner[:, 1] * along[0]) / length
        worst = int(away.argmax())
        if away[worst] > tolerance_px:
            keep[low + 1 + worst] = True
            spans += [(low, low + 1 + worst), (low + 1 + worst, high)]
    return ring[np.unique(np.flatnonzero(keep) % len(ring))]


def _area(ring: _Ints) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
