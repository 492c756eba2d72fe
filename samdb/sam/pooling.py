"""Which cells of the feature grid a mask covers, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.runs import run_edges
from samdb.sam.frame import Frame

#: less than any pixel covers of a cell (2e-8, one of 178 million in a row), more than rounding leaves (1e-15)
_NOTHING = 1e-10


def coverage(mask: Rle, frame: Frame, grid: int) -> NDArray[np.float32]:
    """Covered area (grid, grid) of each cell, in cells (1 = the whole cell): exact, not sampled.

    A mask smaller than a cell therefore weighs on the cell, or the few cells, that hold it; it never
    vanishes as it does when a mask is scaled down by nearest neighbour.

    The mask is not drawn: 0.15 ms instead of 0.65, the means of 1,030 masks of 720p frames. What a column of
    pixels covers is all that lies above the places where the mask switches off, less all above those where
    it switches on.
    """
    height = mask.size_hw[0]
    begins, ends = run_edges(mask.counts)
    # a run over several columns switches off at the foot of each but its last, and on again at the next
    # one's head, above which there is nothing
    feet = _ranges(begins // height, ends // height)
    offs = np.concatenate([ends % height, np.full(len(feet), height)])
    off_columns = np.concatenate([ends // height, feet])
    covered = _covered(offs, off_columns, frame, grid) - _covered(
        begins % height, begins // height, frame, grid
    )
    covered[covered < _NOTHING] = 0
    return np.asarray(covered, dtype=np.float32)


def box_coverage(box_xyxy: Box, frame: Frame, grid: int) -> NDArray[np.float32]:
    """The same for every pixel of a box."""
    shares = []
    for axis, (first, last) in enumerate(((box_xyxy[1], box_xyxy[3]), (box_xyxy[0], box_xyxy[2]))):
        # every pixel that it touches, and at least one
        edges = np.clip([int(first), max(int(np.ceil(last)), int(first) + 1)], 0, frame.size_hw[axis])
        before = _covered_before(edges, frame, axis, grid)
        shares.append(before[1] - before[0])
    return np.asarray(np.outer(*shares), dtype=np.float32)


def pool(features: NDArray[np.float32], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Weighted means (N, C) of features (C, G, G) under N coverages (G, G)."""
    flat = np.stack([w.ravel() / w.sum() for w in weights])
    return np.asarray(flat @ features.reshape(len(features), -1).T, dtype=np.float32)


def _covered(
    rows: NDArray[np.int64], columns: NDArray[np.int64], frame: Frame, grid: int
) -> NDArray[np.float64]:
    """What the pixels above `rows` in `columns` cover of each cell (grid, grid), added up."""
    down = _covered_before(rows, frame, 0, grid)
    across = _covered_before(columns + 1, frame, 1, grid) - _covered_before(columns, frame, 1, grid)
    return np.asarray(down.T @ across)


def _covered_before(edges: NDArray[np.int64], frame: Frame, axis: int, grid: int) -> NDArray[np.float64]:
    """How much of each cell (len(edges), grid) along an axis lies before each edge between pixels."""
    cells_per_px = frame.input_hw[axis] / frame.size_hw[axis] * grid / frame.square
    return np.clip(edges[:, None] * cells_per_px - np.arange(grid), 0.0, 1.0)


def _ranges(first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """All of range(first[0], last[0]), range(first[1], last[1]) and so on."""
    lengths = last - first
    starts = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(lengths.sum()) - np.repeat(starts - first, lengths))
