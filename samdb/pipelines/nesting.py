"""Whole, part, subpart: which mask lies in which.

SAM's words are the paper's, but its three multimask outputs are not ordered by size or promise, so
granularity is derived here from containment and area alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from samdb.core.masks import Rle, mask_containment
from samdb.core.segment import GRANULARITIES, Granularity

#: share of a mask that must lie in another to be a part of it: SAM's outlines wobble by a few pixels
MIN_CONTAINMENT = 0.9
#: a part is clearly smaller than what it belongs to, else it is the same thing seen twice
MAX_AREA_RATIO = 0.8


def find_parents(masks: Sequence[Rle], roots: Collection[int] = ()) -> list[int | None]:
    """For each mask the index of the smallest mask that contains it, or None.

    `roots` are known to be whole objects: they get no parent. A mask inside a root always ends up below it,
    below the smallest where there are several: of the masks that contain it only those below that root count.
    """
    if not masks:
        return []
    areas = np.array([m.area_px for m in masks], dtype=np.float64)
    inside = mask_containment(masks, masks) >= MIN_CONTAINMENT
    inside &= areas[:, None] <= MAX_AREA_RATIO * areas[None, :]
    parents: list[int | None] = [None] * len(masks)
    # from large to small: what contains a mask has its own parent already
    for i in np.argsort(-areas, kind="stable"):
        # ties in area go to the first, so that the tree does not depend on chance
        holders = sorted(np.flatnonzero(inside[i]).tolist(), key=lambda j: (areas[j], j))
        if i in roots or not holders:
            continue
        root = next((j for j in holders if j in roots), None)
        parents[i] = next(j for j in holders if root is None or root_of(j, parents) == root)
    return parents


def root_of(index: int, parents: Sequence[int | None]) -> int:
    """The outermost mask that holds this one (itself when nothing does)."""
    parent = parents[index]
    return index if parent is None else root_of(parent, parents)


def granularity_of(index: int, parents: Sequence[int | None]) -> Granularity:
    """`whole` without a parent, `part` below a whole, `subpart` further down."""
    depth = 0
    parent = parents[index]
    while parent is not None:
        depth, parent = depth + 1, parents[parent]
    return GRANULARITIES[min(depth, len(GRANULARITIES) - 1)]
