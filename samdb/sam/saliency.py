"""Where in an image to ask: the cells of the feature grid that differ from those around them.

A prompt in the middle of the sky finds the sky once more; objects lie where the features change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: side of the block of cells that one is compared with: with half of the points and the neck's features, 5
#: loses nothing on 30 BDD100K frames (recall of labelled boxes 54.8 %, as with all points), 3 half a point
_SIDE = 5


def feature_contrast(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each cell of features (C, R, W) differs from the 24 around it (R, W): 1 - mean cosine.

    The grid's edge is repeated outwards.
    """
    _, rows, columns = features.shape
    norms = np.linalg.norm(features, axis=0)
    unit = features / np.where(norms > 0, norms, 1)
    reach = _SIDE // 2
    padded = np.pad(unit, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    # the sum over the cells around it is that over the whole block without its middle
    down = np.add.reduce([padded[:, i : i + rows] for i in range(_SIDE)])
    around = np.add.reduce([down[:, :, i : i + columns] for i in range(_SIDE)]) - unit
    return np.asarray(1 - np.einsum("crw,crw->rw", unit, around) / (_SIDE**2 - 1), dtype=np.float32)


def most_telling(
    points_cell: NDArray[np.int64], contrast: NDArray[np.float32], share: float
) -> NDArray[np.int64]:
    """The indices of the `share` of the points (N, 2), each (row, column) of its cell, where the contrast is
    largest; in the points' order. Equal contrasts: earlier points first.
    """
    n = max(1, round(len(points_cell) * share))
    order = np.argsort(-contrast[points_cell[:, 0], points_cell[:, 1]], kind="stable")
    return np.sort(order[:n])
