"""The grid of points, and the overlapping crops at which automatic masks may look again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from samdb.sam.drawing import DrawnMask

_EDGE_TOLERANCE_PX = 20.0


def point_grid(per_side: int) -> NDArray[np.float64]:
    """Centres (per_side², 2) of an even grid on the unit square, (x, y), row by row."""
    centres = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(centres, centres)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def crop_boxes(
    size_hw: tuple[int, int], layers: int, overlap: float
) -> list[tuple[tuple[int, int, int, int], int]]:
    """The image and its crops: (x0, y0, x1, y1) in px with the layer each belongs to.

    Source: segment_anything.utils.amg.generate_crop_boxes.
    """
    height, width = size_hw
    boxes = [((0, 0, width, height), 0)]
    for layer in range(1, layers + 1):
        n = 2**layer
        shared = int(overlap * min(size_hw) * (2 / n))
        crop_w = math.ceil((shared * (n - 1) + width) / n)
        crop_h = math.ceil((shared * (n - 1) + height) / n)
        corners = [((crop_w - shared) * i, (crop_h - shared) * j) for i in range(n) for j in range(n)]
        boxes += [((x, y, min(x + crop_w, width), min(y + crop_h, height)), layer) for x, y in corners]
    # an image of a few pixels has crops without any
    return [(box, layer) for box, layer in boxes if box[2] > box[0] and box[3] > box[1]]


def touches_crop_edge(
    mask: DrawnMask, crop_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]
) -> bool:
    """Whether the mask is cut off by the crop's edge where that is not the image's edge too."""
    box = np.array(mask.box_xyxy) - (0, 0, 1, 1)
    image = np.array([0, 0, size_hw[1], size_hw[0]], dtype=np.float64)
    near_crop = np.abs(box - crop_xyxy) <= _EDGE_TOLERANCE_PX
    near_image = np.abs(box - image) <= _EDGE_TOLERANCE_PX
    return bool((near_crop & ~near_image).any())
