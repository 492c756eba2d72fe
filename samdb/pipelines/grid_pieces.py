"""Automatic masks: what SAM sees of itself, less what is labelled; some of it known to be background."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from samdb.core.boxes import box_problem, clip_box
from samdb.core.masks import Rle, mask_containment, mask_iou, mask_union
from samdb.core.prompt import MaskCandidate
from samdb.core.sample import Label, Sample
from samdb.core.segment import FLAG_BACKGROUND, FLAG_FOUND
from samdb.pipelines.piece import Piece, Sam
from samdb.ports import EncodedImage

# an automatic mask this close to a labelled object's is that object again
_SAME_IOU = 0.8
# an automatic mask with less than this share of its area on labelled objects is background
_TOUCH = 0.05


def grid_pieces(sam: Sam, image: EncodedImage, sample: Sample, labelled: Sequence[Piece]) -> list[Piece]:
    """The labelled pieces, flagged when an automatic mask repeats them, and the automatic masks that are not
    there already, flagged when they surely show no labelled object."""
    found = _different(sam.automatic(image))
    masks = [c.mask for c in found]
    again = mask_iou(masks, [p.candidate.mask for p in labelled]) >= _SAME_IOU
    background = _background(masks, sample, image.size_hw)
    known = [
        replace(piece, flags=(*piece.flags, FLAG_FOUND)) if again[:, i].any() else piece
        for i, piece in enumerate(labelled)
    ]
    return known + [
        Piece(
            candidate,
            f"grid:{hashlib.sha1(candidate.mask.counts.encode()).hexdigest()[:20]}",
            flags=(FLAG_BACKGROUND,) if background[i] else (),
        )
        for i, candidate in enumerate(found)
        if not again[i].any()
    ]


def _different(found: Sequence[MaskCandidate]) -> list[MaskCandidate]:
    """Each mask once, its first: in an image of a few pixels many points give the very same."""
    return list({c.mask.counts: c for c in reversed(found)}.values())[::-1]


def _background(masks: Sequence[Rle], sample: Sample, size_hw: tuple[int, int]) -> list[bool]:
    """For each mask whether it is known to show none of the objects that were labelled.

    Nothing is known of an image that nobody labelled, nor where a label had to be left out: its object may be
    anywhere.
    """
    objects = [_object_mask(label, size_hw) for label in sample.labels]
    if not sample.has_labels or sample.problems or any(o is None for o in objects):
        return [False] * len(masks)
    # all objects at once: a mask over a crowd may have little of its area on any one of them
    known = [o for o in objects if o is not None and o.area_px > 0]
    if not masks or not known:
        return [True] * len(masks)
    share = mask_containment(masks, [mask_union(known)])[:, 0]
    return [bool(s < _TOUCH) for s in share]


def _object_mask(label: Label, size_hw: tuple[int, int]) -> Rle | None:
    """Where a labelled object is: its mask, else every pixel of its box; None when that cannot be told."""
    if label.mask is not None:
        return label.mask if label.mask.size_hw == size_hw and label.mask.area_px > 0 else None
    box = label.box_xyxy
    if box is None or box_problem(box):
        return None
    clipped = clip_box(box, size_hw)
    if clipped is None:
        return Rle.encode(np.zeros(size_hw, dtype=bool))
    x0, y0, x1, y1 = clipped
    return Rle.from_polygons([[x0, y0, x1, y0, x1, y1, x0, y1]], size_hw)
