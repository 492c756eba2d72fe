"""Where an image looks like what lies under a mask."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.sam.frame import Frame
from samdb.sam.networks import GRID
from samdb.sam.pooling import coverage, pool


def similarity_map(features: NDArray[np.float32], frame: Frame, mask: Rle) -> NDArray[np.float32]:
    """Cosine (H, W) of the features (C, G, G) pooled under a non-empty mask with those of every cell.

    The cells' cosines are spread over the image's pixels bilinearly; cells that are padding have no say.
    """
    pooled = pool(features, [coverage(mask, frame, GRID)])[0]
    lengths = np.linalg.norm(features, axis=0) * np.linalg.norm(pooled)
    cosines = np.tensordot(pooled, features, axes=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    rows, columns = (-(-side * GRID // frame.square) for side in frame.input_hw)
    # the last cells of the image go on into the padding, so that none of it shines through at the edge
    cosines[rows:] = cosines[rows - 1]
    cosines[:, columns:] = cosines[:, columns - 1 : columns]
    grid = torch.from_numpy(np.clip(cosines, -1.0, 1.0).astype(np.float32))[None, None]
    height, width = frame.input_hw
    square = F.interpolate(grid, (frame.square, frame.square), mode="bilinear", align_corners=False)
    inside = square[:, :, :height, :width]
    spread = F.interpolate(inside, frame.size_hw, mode="bilinear", align_corners=False)
    return np.asarray(spread[0, 0].numpy(), dtype=np.float32)
