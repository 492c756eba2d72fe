"""The crop recipe: look at each mask again, close up and mirrored.

Source: Kirillov et al., "Segment Anything" (2023), appendix D.6, with the features before the neck, as the
authors advise (segment-anything issue 283).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.sam.encoder import ImageEncoder
from samdb.sam.frame import Frame
from samdb.sam.networks import CELL_PX, INPUT_SIZE
from samdb.sam.pooling import coverage, pool

#: the crop's side over the box's longer side: 2.0 beat 1.3 on BDD100K frames (README, "Recipes")
_CONTEXT = 2.0
#: TinyViT reads any size, and 256 px costs a tenth of 1024; the plain ViTs know one size only
_SIDES = {"vit_t": 256}
_BATCH = 8


class CropEmbedder:
    """Encodes crops around masks."""

    def __init__(self, model: str, encoder: ImageEncoder) -> None:
        self._side = _SIDES.get(model, INPUT_SIZE)
        self._encoder = encoder
        self._batch = _BATCH if self._side < INPUT_SIZE else 1

    def embed(self, image: NDArray[np.uint8], masks: Sequence[Rle]) -> NDArray[np.float32]:
        """Features (N, C) of the masks, each the mean of its crop's and its mirrored crop's."""
        views = [view for mask in masks for view in _views(image, mask)]
        grid = self._side // CELL_PX
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(views), self._batch):
            batch = views[start : start + self._batch]
            frames = [Frame((v.shape[0], v.shape[1]), self._side) for v, _ in batch]
            backbone = self._encoder([f.tensor(v) for f, (v, _) in zip(frames, batch, strict=True)]).backbone
            for features, frame, (_, mask) in zip(backbone.cpu().numpy(), frames, batch, strict=True):
                rows.append(pool(features, [coverage(mask, frame, grid)])[0])
        return np.asarray(np.stack(rows).reshape(len(masks), 2, -1).mean(axis=1), dtype=np.float32)


def _views(image: NDArray[np.uint8], mask: Rle) -> list[tuple[NDArray[np.uint8], Rle]]:
    """The crop around a mask and its mirror image, each with the mask inside it."""
    x0, y0, x1, y1 = _crop_box(mask.box_xyxy, mask.size_hw)
    crop, inside = image[y0:y1, x0:x1], mask.decode()[y0:y1, x0:x1]
    flipped = np.ascontiguousarray(crop[:, ::-1])
    return [(np.ascontiguousarray(crop), Rle.encode(inside)), (flipped, Rle.encode(inside[:, ::-1]))]


def _crop_box(box_xyxy: Box, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square around the box with context, cut to the image."""
    x0, y0, x1, y1 = box_xyxy
    half = max(x1 - x0, y1 - y0) * _CONTEXT / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    height, width = size_hw
    return (
        max(0, int(cx - half)),
        max(0, int(cy - half)),
        min(width, int(np.ceil(cx + half))),
        min(height, int(np.ceil(cy + half))),
    )
