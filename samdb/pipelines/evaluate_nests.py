"""One object, one answer: which automatic masks of an image others answer for, as `samdb classify` has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.bank.vote import NOBODY
from samdb.core.masks import mask_containment, mask_iou
from samdb.pipelines.evaluate_answers import Answers
from samdb.pipelines.evaluate_data import Segments
from samdb.pipelines.nesting import MAX_AREA_RATIO, MIN_CONTAINMENT
from samdb.pipelines.resolve import SAME_CONTAINMENT, SAME_IOU


@dataclass(frozen=True, slots=True)
class Nest:
    """The masks of one image: their `rows` (n,), `areas` (n,) in px², which share of each lies `inside` each
    other one (n, n), and their `overlap` (n, n) by IoU."""

    rows: NDArray[np.int64]
    areas: NDArray[np.float64]
    inside: NDArray[np.float64]
    overlap: NDArray[np.float64]


def nests_of(segments: Segments) -> tuple[Nest, ...]:
    """The masks of automatic segments, image by image."""
    keys = np.array(segments.image_keys)
    found = []
    for key in dict.fromkeys(segments.image_keys):
        rows = np.flatnonzero(keys == key)
        masks = [segments.masks[row] for row in rows]
        areas = np.array([mask.area_px for mask in masks], dtype=np.float64)
        found.append(Nest(rows, areas, mask_containment(masks, masks), mask_iou(masks, masks)))
    return tuple(found)


def answered_for(nests: tuple[Nest, ...], answers: Answers) -> NDArray[np.bool_]:
    """Which segments (N,) another one of their image answers for.

    A mask that is named answers for all that lies in it, the largest first. Of two that show the same thing
    the more confident answers, also among the rejected ones. The rules are `resolve`'s, for a method that has
    no scores from which it is sure, and whose parts do not vote.
    """
    silent = np.zeros(len(answers.best), dtype=bool)
    speaks = (answers.best != NOBODY) & ~answers.is_background
    named, confidence = speaks & ~answers.rejected, answers.confidence
    for nest in nests:
        part_of = (nest.inside >= MIN_CONTAINMENT) & (nest.areas[:, None] <= MAX_AREA_RATIO * nest.areas)
        for i in np.argsort(-nest.areas, kind="stable"):
            if named[nest.rows[i]] and not silent[nest.rows[i]]:
                silent[nest.rows[part_of[:, i]]] = True
        left = [i for i, row in enumerate(nest.rows) if speaks[row] and not silent[row]]
        kept: list[int] = []
        for i in sorted(left, key=lambda i: (-confidence[nest.rows[i]], i)):
            if any(_one_thing(nest, i, j, answers) for j in kept):
                silent[nest.rows[i]] = True
            else:
                kept.append(i)
    return silent


def _one_thing(nest: Nest, i: int, j: int, answers: Answers) -> bool:
    one_class = answers.best[nest.rows[i]] == answers.best[nest.rows[j]]
    return bool(
        nest.overlap[i, j] >= SAME_IOU
        or (one_class and max(nest.inside[i, j], nest.inside[j, i]) >= SAME_CONTAINMENT)
    )
