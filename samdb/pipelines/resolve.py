"""One object, one answer: which segments of an image answer, and which of them others answer for.

An object is seen as a whole, as its parts, and sometimes twice. Its parts vote for the whole; a whole whose
class can be built upon answers for all that lies in it; where it cannot, the better of whole and parts
answers. A part whose whole is unknown stands alone only where its own class can be built upon.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from samdb.bank.classifier import possible_classes
from samdb.core.bank import BankCard, Prediction
from samdb.core.masks import mask_containment, mask_iou
from samdb.core.segment import Segment

#: two answers with this overlap are one object
SAME_IOU = 0.5
#: so are two of one class when so much of the smaller lies in the larger
SAME_CONTAINMENT = 0.8
# parts that fill their whole have so much of the say in its score; those that fill less, less
_PARTS_SAY = 0.5


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of one segment.

    `answered_by` is the id of the segment that answers for it, None when it answers for itself; then `parts`
    is how many others it answers for. `votes` is what the parts directly below it say, a score per class
    (None: background), best first.
    """

    prediction: Prediction
    answered_by: str | None = None
    parts: int = 0
    votes: Mapping[str | None, float] = field(default_factory=dict)


def resolve(segments: Sequence[Segment], predictions: Sequence[Prediction], card: BankCard) -> list[Resolved]:
    """What becomes of each segment of one image, in their order."""
    tree = _Tree.of(segments)
    votes = [_votes(tree, row, predictions) for row in range(len(segments))]
    heard = [_hear(tree, row, predictions[row], votes[row], card) for row in range(len(segments))]
    speaker = _Speakers(tree, heard, card).found()
    _unite(segments, heard, speaker)
    parts = Counter(_last(speaker, row) for row in range(len(segments)))
    return [
        Resolved(
            prediction=heard[row],
            answered_by=None if by == row else segments[by].segment_id,
            parts=parts[row] - 1 if by == row else 0,
            votes=votes[row],
        )
        for row, by in ((row, _last(speaker, row)) for row in range(len(segments)))
    ]


@dataclass(frozen=True, slots=True)
class _Tree:
    """Rows of the segments directly below each, of those below nothing, and the areas (N,) in px²."""

    children: Mapping[int, Sequence[int]]
    roots: Sequence[int]
    areas: NDArray[np.float64]

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> _Tree:
        row_of = {s.segment_id: row for row, s in enumerate(segments)}
        children: dict[int, list[int]] = defaultdict(list)
        roots = []
        for row, segment in enumerate(segments):
            parent = None if segment.parent_id is None else row_of.get(segment.parent_id)
            if parent is None:
                roots.append(row)
            else:
                children[parent].append(row)
        return cls(dict(children), roots, np.array([s.area_px for s in segments], dtype=np.float64))

    def below(self, row: int) -> list[int]:
        """All rows below this one."""
        found: list[int] = []
        for child in self.children.get(row, ()):
            found += [child, *self.below(child)]
        return found


def _votes(tree: _Tree, row: int, predictions: Sequence[Prediction]) -> Mapping[str | None, float]:
    """The mean score of each class over the parts directly below, weighted by their area."""
    parts = tree.children.get(row, ())
    total = sum(tree.areas[p] for p in parts)
    votes: dict[str | None, float] = defaultdict(float)
    for part in parts:
        for name, score in predictions[part].scores:
            votes[name] += float(tree.areas[part] / total) * score
    return dict(sorted(votes.items(), key=lambda v: (-v[1], v[0] or "")))


def _hear(
    tree: _Tree, row: int, own: Prediction, votes: Mapping[str | None, float], card: BankCard
) -> Prediction:
    """The prediction of a whole after its parts were heard: they count when they agree with it."""
    name = own.best_guess
    if own.reason in ("background", "no_neighbours") or name is None or next(iter(votes), None) != name:
        return own
    filled = min(1.0, sum(float(tree.areas[p]) for p in tree.children[row]) / float(tree.areas[row]))
    say = _PARTS_SAY * filled
    known = dict(own.scores)
    scores = {n: (1 - say) * known.get(n, 0.0) + say * votes.get(n, 0.0) for n in {**known, **votes}}
    ranked = tuple(sorted(scores.items(), key=lambda s: (s[0] != name, -s[1], s[0] or "")))
    classes = possible_classes(name, ranked, card)
    if not classes:
        return own if own.class_name is None else replace(own, scores=ranked)
    second = own.runner_up if own.class_name is not None else next((n for n, _ in ranked[1:] if n), None)
    return Prediction(name, scores[name], second, None, own.nearest_prototype_id, classes, ranked)


class _Speakers:
    """Finds for each row the row that answers for it, itself included."""

    def __init__(self, tree: _Tree, heard: Sequence[Prediction], card: BankCard) -> None:
        self._tree = tree
        self._heard = heard
        self._limits = card.sure or card.thresholds
        self._speaker = list(range(len(heard)))

    def found(self) -> list[int]:
        for root in self._tree.roots:
            self._settle(root, None)
        return self._speaker

    def _settle(self, row: int, unknown_whole: int | None) -> None:
        below = self._tree.below(row)
        if self._answers(row, below, unknown_whole):
            for part in below:
                self._speaker[part] = row
            return
        if self._heard[row].class_name is None and unknown_whole is not None:
            self._speaker[row] = unknown_whole
        elif self._heard[row].class_name is not None:
            better = [p for p in below if self._is_sure(p)]
            if better:
                self._speaker[row] = max(better, key=lambda p: self._heard[p].score)
            elif unknown_whole is not None:
                self._speaker[row] = unknown_whole
        top = unknown_whole if unknown_whole is not None else row
        for part in self._tree.children.get(row, ()):
            self._settle(part, top)

    def _answers(self, row: int, below: Sequence[int], unknown_whole: int | None) -> bool:
        """Whether this row answers for itself and all below it."""
        own = self._heard[row]
        if own.class_name is None:
            return False
        if self._is_sure(row):
            return True
        if unknown_whole is not None:
            return False
        return all(self._heard[p].score <= own.score for p in below if self._is_sure(p))

    def _is_sure(self, row: int) -> bool:
        name = self._heard[row].class_name
        return name is not None and self._heard[row].score >= self._limits.get(name, 0.0)


def _unite(segments: Sequence[Segment], heard: Sequence[Prediction], speaker: list[int]) -> None:
    """Let the better of two answers speak for the other where both are the same object."""
    rows = [r for r in range(len(segments)) if speaker[r] == r and heard[r].class_name is not None]
    rows.sort(key=lambda r: -heard[r].score)
    masks = [segments[r].mask for r in rows]
    overlap, inside = mask_iou(masks, masks), mask_containment(masks, masks)
    kept: list[int] = []
    for i, row in enumerate(rows):
        for j in kept:
            one_class = heard[row].class_name == heard[rows[j]].class_name
            if overlap[i, j] >= SAME_IOU or (
                one_class and max(inside[i, j], inside[j, i]) >= SAME_CONTAINMENT
            ):
                speaker[row] = rows[j]
                break
        else:
            kept.append(i)


def _last(speaker: Sequence[int], row: int) -> int:
    """Who answers in the end, when the one who answers is answered for."""
    seen = {row}
    while speaker[row] != row and speaker[row] not in seen:
        row = speaker[row]
        seen.add(row)
    return row
