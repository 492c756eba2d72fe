"""The closed lines around a mask, along the edges of its pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.int64]
_Points = NDArray[np.float64]


def outline_rings(mask: NDArray[np.bool_]) -> list[_Points]:
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
    rings: list[_Points] = []
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
            rings.append(np.stack([xs[ring], ys[ring]], axis=1).astype(np.float64))
    return rings


def _partners(order: _Ints) -> list[int]:
    """For each corner the one it is joined to, when corners are joined in pairs in this order."""
    partner = np.empty_like(order)
    partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
    return [int(p) for p in partner]


def simplified(ring: _Points, tolerance_px: float) -> _Points:
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


def ring_area(ring: _Points) -> float:
    """The area (px²) that a ring encloses; its sign tells the way around."""
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
