"""The outline of a mask as polygons, for drawing: a few corners instead of every pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle

#: a corner is left out when the line without it passes this close, in px
TOLERANCE_PX = 0.6

_Ints = NDArray[np.int64]
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
    window = np.pad(mask.decode()[top:bottom, left:right], 1)
    rings = [_simplified(_middles(ring), tolerance_px) for ring in _rings(window)]
    rings.sort(key=lambda ring: -abs(_area(ring)))
    corner = np.array([left - 1, top - 1])
    return [np.round(ring + corner, 1).ravel().tolist() for ring in rings]


def _rings(window: NDArray[np.bool_]) -> list[_Floats]:
    """The closed outlines of a padded mask (h, w) along the pixels' edges: corners (N, 2) as x, y.

    A corner of the outline is where the four pixels around a grid point are one or three of the mask, or two
    that touch there only; from a corner the outline goes straight to the next one of its row, and to the next
    one of its column, and corners of a row or a column belong together in pairs.
    """
    a, b, c, d = window[:-1, :-1], window[:-1, 1:], window[1:, :-1], window[1:, 1:]
    count = a.astype(np.int8) + b + c + d
    crossing = (count == 2) & (a == d)
    ys, xs = np.nonzero((count == 1) | (count == 3) | crossing)
    # where two pixels touch at a corner two outlines pass: the grid point counts twice
    twice = np.repeat(np.arange(len(ys)), 1 + crossing[ys, xs].astype(np.int64))
    ys, xs = ys[twice], xs[twice]
    along_row, along_column = np.lexsort((xs, ys)), np.lexsort((ys, xs))
    across, down = _partners(along_row), _partners(along_column)
    rings, seen = [], np.zeros(len(xs), dtype=bool)
    for first in range(len(xs)):
        if seen[first]:
            continue
        ring, at = [], first
        while not seen[at]:
            other = int(across[at])
            seen[at] = seen[other] = True
            ring += [at, other]
            at = int(down[other])
        rings.append(np.stack([xs[ring] + 1.0, ys[ring] + 1.0], axis=1))
    return rings


def _partners(order: _Ints) -> _Ints:
    """For each corner the one it is joined to, when corners are joined in pairs in this order."""
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return partner


def _middles(ring: _Floats) -> _Floats:
    """The middles (M, 2) of the pixel edges along a ring of corners (N, 2)."""
    step = np.roll(ring, -1, axis=0) - ring
    lengths = np.abs(step).sum(axis=1).astype(np.int64)
    start, unit = np.repeat(ring, lengths, axis=0), np.repeat(np.sign(step), lengths, axis=0)
    place = np.arange(len(start)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.asarray(start + unit * (place + 0.5)[:, None])


def _simplified(ring: _Floats, tolerance_px: float) -> _Floats:
    """The ring without the points that lie within the tolerance of the line without them.

    Source: Douglas and Peucker (1973), on the two halves between the ring's first point and the one farthest
    from it.
    """
    if len(ring) <= 4:
        return ring
    keep = np.zeros(len(ring) + 1, dtype=bool)
    closed = np.concatenate([ring, ring[:1]])
    far = int(np.square(ring - ring[0]).sum(axis=1).argmax())
    keep[[0, far]] = True
    spans = [(0, far), (far, len(ring))]
    while spans:
        low, high = spans.pop()
        if high - low < 2:
            continue
        origin, along = closed[low], closed[high] - closed[low]
        inner = closed[low + 1 : high] - origin
        length = float(np.hypot(*along))
        away = np.abs(inner[:, 0] * along[1] - inner[:, 1] * along[0]) / max(length, 1e-9)
        if length == 0:
            away = np.hypot(inner[:, 0], inner[:, 1])
        worst = int(away.argmax())
        if away[worst] > tolerance_px:
            keep[low + 1 + worst] = True
            spans += [(low, low + 1 + worst), (low + 1 + worst, high)]
    return ring[keep[:-1]]


def _area(ring: _Floats) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
