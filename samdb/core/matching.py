"""Detections to labelled boxes, as detection benchmarks match them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import box_iou

#: matched nothing: a false positive
UNMATCHED: Final = -1
#: matched a box that does not count: neither right nor wrong
IGNORED: Final = -2


def match_boxes(
    scores: NDArray[np.float64],
    boxes_xyxy: NDArray[np.float64],
    truth_xyxy: NDArray[np.float64],
    ignored: NDArray[np.bool_],
    min_iou: float = 0.5,
) -> NDArray[np.int64]:
    """For each of N detections of one class in one image the labelled box it finds: its index, or UNMATCHED,
    or IGNORED.

    The detection with the highest score chooses first (ties: the lower index) and takes the free box of
    `truth_xyxy` (M, 4) that it overlaps most, by IoU of at least `min_iou`; each box can be found once. One
    that finds none but overlaps a box with `ignored` (M,) counts neither way. Source: the COCO evaluation.
    """
    found = np.full(len(scores), UNMATCHED, dtype=np.int64)
    if not len(truth_xyxy) or not len(scores):
        return found
    iou = box_iou(boxes_xyxy, truth_xyxy)
    free = ~ignored
    for i in np.argsort(-scores, kind="stable"):
        open_to_it = np.where(free, iou[i], 0.0)
        best = int(open_to_it.argmax())
        if open_to_it[best] >= min_iou:
            found[i] = best
            free[best] = False
        elif (iou[i][ignored] >= min_iou).any():
            found[i] = IGNORED
    return found
