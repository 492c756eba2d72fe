"""Where in an image to ask: the cells of the feature grid that differ from those around them.

A prompt in the middle of the sky finds the sky once more; objects lie where the features change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def feature_contrast(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each cell of features (C, R, W) differs from its eight neighbours (R, W): 1 - mean cosine.

    The grid's edge is repeated outwards.
    """
    _, rows, columns = features.shape
    norms = np.linalg.norm(features, axis=0)
    unit = features / np.where(norms > 0, norms, 1)
    padded = np.pad(unit, ((0, 0), (1, 1), (1, 1)), mode="edge")
    # the sum over the eight neighbours is that over the 3 x 3 block without its middle
    down = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    around = down[:, :, :-2] + down[:, :, 1:-1] + down[:, :, 2:] - unit
    assert around.shape[1:] == (rows, columns)
    return np.asarray(1 - np.einsum("crw,crw->rw", unit, around) / 8, dtype=np.float32)


def most_telling(
    points_cell: NDArray[np.int64], contrast: NDArray[np.float32], share: float
) -> NDArray[np.int64]:
    """The indices of the `share` of the points (N, 2), each (row, column) of its cell, where the contrast is
    largest; in the points' order. Equal contrasts: earlier points first.
    """
    n = max(1, round(len(points_cell) * share))
    order = np.argsort(-contrast[points_cell[:, 0], points_cell[:, 1]], kind="stable")
    return np.sort(order[:n])
