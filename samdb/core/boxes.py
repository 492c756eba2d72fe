"""Boxes: `(x0, y0, x1, y1)` in pixels of the upright image, x1 and y1 exclusive (width = x1 - x0)."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]


def box_problem(box_xyxy: Box) -> str | None:
    """Why this box cannot be used in any image, or None when it can."""
    if not all(math.isfinite(v) for v in box_xyxy):
        return f"box {_show(box_xyxy)} has a value that is not a finite number"
    x0, y0, x1, y1 = box_xyxy
    if x1 <= x0 or y1 <= y0:
        return f"box {_show(box_xyxy)} is inverted or empty (x1 must exceed x0, y1 must exceed y0)"
    return None


def clip_box(box_xyxy: Box, size_hw: tuple[int, int]) -> Box | None:
    """The part of the box inside an image of `size_hw`, or None when nothing of it is inside."""
    height, width = size_hw
    x0, y0 = max(0.0, box_xyxy[0]), max(0.0, box_xyxy[1])
    x1, y1 = min(float(width), box_xyxy[2]), min(float(height), box_xyxy[3])
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def box_area(boxes_xyxy: NDArray[np.floating]) -> NDArray[np.float64]:
    """Areas (N,) in px² of boxes (N, 4)."""
    boxes = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def box_iou(a_xyxy: NDArray[np.floating], b_xyxy: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4), in [0, 1]; 0 where both are empty."""
    a = np.asarray(a_xyxy, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(b_xyxy, dtype=np.float64).reshape(-1, 4)
    lo = np.maximum(a[:, None, :2], b[None, :, :2])
    hi = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.prod(np.clip(hi - lo, 0.0, None), axis=2)
    union = box_area(a)[:, None] + box_area(b)[None, :] - inter
    return np.asarray(np.divide(inter, union, out=np.zeros_like(inter), where=union > 0))


def nms(boxes_xyxy: NDArray[np.floating], scores: NDArray[np.floating], iou_threshold: float) -> list[int]:
    """Greedy non-maximum suppression: kept indices, best score first (ties: lower index first).

    A box falls when its IoU with a kept one is above `iou_threshold`, as in `torchvision.ops.nms`.
    """
    boxes = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores), kind="stable")
    alive = np.ones(len(boxes), dtype=bool)
    keep: list[int] = []
    for i in order:
        if alive[i]:
            keep.append(int(i))
            alive &= box_iou(boxes[i], boxes)[0] <= iou_threshold
    return keep


def _show(box_xyxy: Box) -> str:
    return "[" + ", ".join(f"{v:g}" for v in box_xyxy) + "]"
