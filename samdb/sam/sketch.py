"""What low-resolution logits tell of masks before they are drawn at the image's size.

Drawing a mask costs some milliseconds, and of about 2,000 candidates of a street scene 50 are kept. A sketch
says which surely fall: it bounds the box from both sides and estimates the stability. Decisions are made on
drawn masks only; a sketch saves drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.boxes import box_area
from samdb.sam.drawing import STABILITY_OFFSET
from samdb.sam.frame import Frame

#: how far a mask's edge lies from that of its low-resolution mask, in low-resolution px: measured at most 0.6
#: on 8,730 masks of 12 BDD100K frames, single low-resolution px (which vanish when they are drawn) left out
_EDGE = 0.75


@dataclass(frozen=True, slots=True)
class Sketches:
    """Bounds and estimates of N masks.

    The true box of a mask lies inside `outer_xyxy` (N, 4), and around `inner_xyxy` (N, 4), both in px of the
    image; where nothing is sure the inner box is empty (x1 <= x0). `stability` (N,) is the score that the
    low-resolution logits have. `empty` (N,) have no pixel set.
    """

    outer_xyxy: NDArray[np.float64]
    inner_xyxy: NDArray[np.float64]
    stability: NDArray[np.float64]
    empty: NDArray[np.bool_]

    def only(self, indices: NDArray[np.int64]) -> Sketches:
        """These masks alone, in this order."""
        return Sketches(*(getattr(self, f.name)[indices] for f in fields(self)))


def join(parts: Sequence[Sketches]) -> Sketches:
    """One after the other."""
    return Sketches(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Sketches)))


def sketch(frame: Frame, low_res: Tensor) -> Sketches:
    """Sketch masks from their logits (N, h, w): the first rows and columns of the 256 x 256 ones."""
    above = low_res > 0
    sure = above[:, :-1, :-1] & above[:, 1:, :-1] & above[:, :-1, 1:] & above[:, 1:, 1:]
    inner = (low_res > STABILITY_OFFSET).sum(dim=(1, 2)).cpu().numpy()
    outer = (low_res > -STABILITY_OFFSET).sum(dim=(1, 2)).cpu().numpy()
    # of the square's px a quarter each way, then the image's
    px = 4 * np.array(frame.size_hw[::-1]) / np.array(frame.input_hw[::-1])
    most = _tight_boxes(above) + np.array([-_EDGE, -_EDGE, _EDGE, _EDGE])
    # a sure pixel is the corner of a block of four
    least = _tight_boxes(sure) + np.array([_EDGE, _EDGE, 1 - _EDGE, 1 - _EDGE])
    width_height = np.array(frame.size_hw[::-1])
    return Sketches(
        outer_xyxy=np.clip(most * np.tile(px, 2), 0, np.tile(width_height, 2)),
        inner_xyxy=np.clip(least * np.tile(px, 2), 0, np.tile(width_height, 2)),
        stability=inner / np.maximum(outer, 1),
        empty=~above.flatten(1).any(dim=1).cpu().numpy(),
    )


def surely_overlaps(sketches: Sketches, box_xyxy: NDArray[np.float64], iou: float) -> NDArray[np.bool_]:
    """For each mask (N,) whether the IoU of its box with `box_xyxy` (4,) is above `iou`, wherever between
    its two bounds it lies.
    """
    inner = sketches.inner_xyxy
    low, high = np.maximum(inner[:, :2], box_xyxy[:2]), np.minimum(inner[:, 2:], box_xyxy[2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    most = box_area(sketches.outer_xyxy) + box_area(box_xyxy) - shared
    return np.asarray(shared > iou * most)


def _tight_boxes(masks: Tensor) -> NDArray[np.float64]:
    """Boxes (N, 4) of masks (N, h, w), x1 and y1 exclusive; (w, h, 0, 0) of an empty one."""
    sides = []
    for dim in (1, 2):
        covered = masks.any(dim=dim).cpu().numpy()
        length, some = covered.shape[1], covered.any(axis=1)
        first = np.where(some, covered.argmax(axis=1), length)
        sides.append((first, np.where(some, length - covered[:, ::-1].argmax(axis=1), 0)))
    (x0, x1), (y0, y1) = sides
    return np.stack([x0, y0, x1, y1], axis=1).astype(np.float64)
