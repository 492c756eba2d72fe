"""Where labels go: beside their object, inside the frame, not on each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an object can be labelled, px of the picture.

    `heart_xy` is a point deep inside its mask, `heart_px` how far the mask reaches around it; `top_xy` and
    `bottom_xy` are its highest and lowest points.
    """

    box_xyxy: Box
    heart_xy: tuple[float, float]
    heart_px: float
    top_xy: tuple[float, float]
    bottom_xy: tuple[float, float]


def spot_of(mask: NDArray[np.bool_], origin_xy: tuple[float, float], scale: float) -> Spot:
    """The spot of a non-empty mask (h, w) cut out at `origin_xy` of a photograph enlarged by `scale`."""
    step = max(1, math.ceil(max(mask.shape) / 96))  # a coarse copy is enough to find the heart
    coarse = np.pad(mask[::step, ::step], 1)
    depth = np.zeros(coarse.shape)
    while coarse.any():  # peel the mask: the last to go is its heart
        depth += coarse
        inner = coarse.copy()
        inner[1:-1, 1:-1] &= coarse[:-2, 1:-1] & coarse[2:, 1:-1] & coarse[1:-1, :-2] & coarse[1:-1, 2:]
        coarse = inner
    ys, xs = np.nonzero(mask)

    def point(x: float, y: float) -> tuple[float, float]:
        return ((origin_xy[0] + x) * scale, (origin_xy[1] + y) * scale)

    if depth.any():
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        heart = point((int(column) - 0.5) * step, (int(row) - 0.5) * step)
    else:
        heart = point(float(xs.mean()), float(ys.mean()))
    x0, y0 = point(float(xs.min()), float(ys.min()))
    x1, y1 = point(float(xs.max()) + 1, float(ys.max()) + 1)
    top, bottom = int(ys.argmin()), int(ys.argmax())
    return Spot(
        (x0, y0, x1, y1),
        heart,
        float(depth.max()) * step * scale,
        point(float(xs[top]), float(ys[top])),
        point(float(xs[bottom]), float(ys[bottom]) + 1),
    )


def place_chips(
    spots: Sequence[Spot], sizes_wh: Sequence[tuple[int, int]], frame_wh: tuple[int, int], gap_px: int
) -> list[tuple[int, int] | None]:
    """A corner (x, y) for each label of size (w, h), first come first served; None where there is no room.

    Each object tries the places around and inside its mask, nearest first; of those free of other labels the
    one that hides least of the other objects wins. A place where two labels would overlap is never taken.
    """
    corners: list[tuple[int, int] | None] = []
    taken: list[Box] = []
    objects = np.asarray([spot.box_xyxy for spot in spots], dtype=np.float64).reshape(-1, 4)
    for index, (spot, (w, h)) in enumerate(zip(spots, sizes_wh, strict=True)):
        best: tuple[float, tuple[int, int]] | None = None
        others = np.delete(objects, index, axis=0)
        for rank, (x, y) in enumerate(_places(spot, w, h, gap_px)):
            corner = _inside(x, w, frame_wh[0]), _inside(y, h, frame_wh[1])
            chip = (float(corner[0]), float(corner[1]), float(corner[0] + w), float(corner[1] + h))
            if any(_overlap(chip, other) for other in taken):
                continue
            cost = rank * 0.06 + _hidden(chip, others)
            if best is None or cost < best[0]:
                best = (cost, corner)
        corners.append(best[1] if best else None)
        if best:
            x, y = best[1]
            taken.append((x - 1.0, y - 1.0, x + w + 1.0, y + h + 1.0))
    return corners


def _places(spot: Spot, w: int, h: int, gap_px: int) -> Iterator[tuple[float, float]]:
    """Corners to try, best first."""
    x0, _, x1, _ = spot.box_xyxy
    (heart_x, heart_y), (top_x, top_y), (bottom_x, bottom_y) = spot.heart_xy, spot.top_xy, spot.bottom_xy
    on_heart = (heart_x - w / 2, heart_y - h / 2)
    if spot.heart_px > 0.5 * w:  # roomy: inside, where it is clear whose label it is
        yield on_heart
    above, below = top_y - h - gap_px, bottom_y + gap_px
    # beside the top end of a narrow object, at the point itself of a wide one
    left_of_top = x0 if x1 - x0 < 2 * w else top_x - w / 2
    left_of_bottom = x0 if x1 - x0 < 2 * w else bottom_x - w / 2
    yield from ((left_of_top, above), (top_x - w / 2, above), (top_x - w, above))
    yield from ((left_of_bottom, below), (bottom_x - w / 2, below), on_heart)
    if x1 - x0 < 2 * w:
        yield from ((x1 + gap_px, heart_y - h / 2), (x0 - w - gap_px, heart_y - h / 2))
        yield from ((x1 + gap_px, top_y - h / 2), (x0 - w - gap_px, top_y - h / 2))
        yield from ((x1 + gap_px, bottom_y - h / 2), (x0 - w - gap_px, bottom_y - h / 2))
    for shift in (1, 2):
        yield (left_of_top, above - shift * (h + gap_px))
        yield (left_of_bottom, below + shift * (h + gap_px))


def _inside(at: float, length: int, limit: int) -> int:
    """Moved so that a label of this length stays inside the frame."""
    return round(min(max(0.0, at), max(0, limit - length)))


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _hidden(chip: Box, objects: NDArray[np.float64]) -> float:
    """How much of other objects the label hides: the sum of their hidden shares."""
    w = np.minimum(chip[2], objects[:, 2]) - np.maximum(chip[0], objects[:, 0])
    h = np.minimum(chip[3], objects[:, 3]) - np.maximum(chip[1], objects[:, 1])
    area = (objects[:, 2] - objects[:, 0]) * (objects[:, 3] - objects[:, 1])
    return float((np.clip(w, 0, None) * np.clip(h, 0, None) / np.maximum(area, 1.0)).sum())
