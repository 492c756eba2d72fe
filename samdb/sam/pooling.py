"""Which cells of the feature grid a mask covers, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.sam.frame import Frame


def coverage(mask: Rle, frame: Frame, grid: int) -> NDArray[np.float32]:
    """Covered area (grid, grid) of each cell, in cells (1 = the whole cell): exact, not sampled.

    A mask smaller than a cell therefore weighs on the cell, or the few cells, that hold it; it never
    vanishes as it does when a mask is scaled down by nearest neighbour.
    """
    x0, y0, x1, y1 = (int(v) for v in mask.box_xyxy)
    pixels = mask.decode()[y0:y1, x0:x1].astype(np.float32)
    rows = _cell_shares(y0, y1, frame, 0, grid)
    cols = _cell_shares(x0, x1, frame, 1, grid)
    return np.asarray(rows @ pixels @ cols.T, dtype=np.float32)


def box_coverage(box_xyxy: Box, frame: Frame, grid: int) -> NDArray[np.float32]:
    """The same for every pixel of a box."""
    (h, w), (x0, y0, x1, y1) = frame.size_hw, box_xyxy
    pixels = np.zeros((h, w), dtype=bool)
    pixels[int(y0) : max(int(np.ceil(y1)), int(y0) + 1), int(x0) : max(int(np.ceil(x1)), int(x0) + 1)] = True
    return coverage(Rle.encode(pixels), frame, grid)


def pool(features: NDArray[np.float32], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Weighted means (N, C) of features (C, G, G) under N coverages (G, G)."""
    flat = np.stack([w.ravel() / w.sum() for w in weights])
    return np.asarray(flat @ features.reshape(len(features), -1).T, dtype=np.float32)


def _cell_shares(first: int, last: int, frame: Frame, axis: int, grid: int) -> NDArray[np.float32]:
    """How much of each cell (grid, last - first) each pixel row or column of [first, last) covers."""
    cells_per_px = frame.input_hw[axis] / frame.size_hw[axis] * grid / frame.square
    edges = np.arange(first, last + 1) * cells_per_px
    cell = np.arange(grid)[:, None]
    shares = np.minimum(edges[None, 1:], cell + 1) - np.maximum(edges[None, :-1], cell)
    return np.asarray(np.clip(shares, 0.0, None), dtype=np.float32)
