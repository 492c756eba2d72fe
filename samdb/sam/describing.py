"""From what SAM says of masks to their embeddings: pooling, joining, normalising."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.vectors import Vector, normalise
from samdb.sam.frame import Frame
from samdb.sam.networks import GRID
from samdb.sam.pooling import box_coverage, coverage, pool
from samdb.sam.recipes import Recipe


@dataclass(frozen=True, slots=True)
class SamDescription:
    """What SAM says of N masks of one image (the `Description` port), as far as the recipes read it.

    `neck` and `backbone` (C, G, G) float32 are the image's features, on the compute device; `tokens`
    (N, 4, 256) the decoder's mask tokens; `close_ups` (N, C) the features of the crops around the masks,
    `semantic` (N, D) a classifier's.
    """

    recipes: tuple[Recipe, ...]
    frame: Frame
    masks: tuple[Rle, ...]
    boxes_xyxy: tuple[Box, ...]
    neck: Tensor | None
    backbone: Tensor | None
    tokens: NDArray[np.float32] | None
    close_ups: NDArray[np.float32] | None
    semantic: NDArray[np.float32] | None

    def embeddings(self) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings, recipe -> unit-norm float32 vector (D,)."""
        if not self.masks:
            return []
        rows = self._rows()
        return [{r.name: _row(r, rows, i) for r in self.recipes} for i in range(len(self.masks))]

    def _rows(self) -> Mapping[str, NDArray[np.float32]]:
        """Each plain recipe's embeddings (N, D), of those that are wanted or are part of what is."""
        wanted = sources_of(self.recipes)
        neck, backbone = _on_cpu(self.neck), _on_cpu(self.backbone)
        rows: dict[str, NDArray[np.float32]] = {}
        under = [coverage(m, self.frame, GRID) for m in self.masks] if wanted & {"neck", "backbone"} else []
        if neck is not None and "neck" in wanted:
            rows["neck"] = normalise(pool(neck, under))
        if neck is not None and "neck_box" in wanted:
            rows["neck_box"] = normalise(
                pool(neck, [box_coverage(b, self.frame, GRID) for b in self.boxes_xyxy])
            )
        if backbone is not None and "backbone" in wanted:
            rows["backbone"] = normalise(pool(backbone, under))
        if backbone is not None and "quarters" in wanted:
            quarters = [q for box in self.boxes_xyxy for q in _quarters(box)]
            pooled = pool(backbone, [box_coverage(q, self.frame, GRID) for q in quarters])
            rows["quarters"] = normalise(pooled.reshape(len(self.masks), -1))
        if self.tokens is not None:
            rows["token"] = normalise(self.tokens[:, 0])
            rows["tokens"] = normalise(self.tokens.reshape(len(self.masks), -1))
        if self.close_ups is not None:
            rows["crop"] = normalise(self.close_ups)
        if self.semantic is not None:
            rows["semantic"] = normalise(self.semantic)
        return rows


def sources_of(recipes: tuple[Recipe, ...]) -> frozenset[str]:
    """The plain recipes that these are, or are fused of."""
    return frozenset(name for r in recipes for name in (r.parts or (r.name,)))


def _quarters(box_xyxy: Box) -> tuple[Box, ...]:
    """The box's quarters: top left, top right, bottom left, bottom right."""
    x0, y0, x1, y1 = box_xyxy
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return ((x0, y0, x, y), (x, y0, x1, y), (x0, y, x, y1), (x, y, x1, y1))


def _on_cpu(features: Tensor | None) -> NDArray[np.float32] | None:
    return None if features is None else features.cpu().numpy()


def _row(recipe: Recipe, rows: Mapping[str, NDArray[np.float32]], i: int) -> Vector:
    if recipe.parts:
        return normalise(np.concatenate([factor * rows[part][i] for part, factor in recipe.parts.items()]))
    return np.asarray(rows[recipe.name][i], dtype=np.float32)
