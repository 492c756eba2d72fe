"""What methods that have learned say of segments: answers that any figure can judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from samdb.bank.class_scores import class_scores
from samdb.bank.classifier import class_indices, hold_vote, nearest_prototypes
from samdb.bank.threads import one_thread
from samdb.bank.vote import NOBODY
from samdb.core.bank import Prototype
from samdb.core.head import Head
from samdb.core.vectors import normalise
from samdb.pipelines.evaluate_data import Segments

#: the cosine above which the prior work names a segment
PRIOR_THRESHOLD: Final = 0.8


@dataclass(frozen=True, slots=True)
class Answers:
    """What a method says of N segments.

    `scores` (N, C + 1) in [0, 1] are for its C `classes`, and for background last. `best` (N,) is the index
    of the class it would name if it had to, or NOBODY; `rejected` (N,) is True where it names none.
    """

    classes: tuple[str, ...]
    scores: NDArray[np.float64]
    best: NDArray[np.int64]
    rejected: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n = len(self.best)
        if self.scores.shape != (n, len(self.classes) + 1) or self.rejected.shape != (n,):
            raise ValueError(
                f"answers for {n} segments and {len(self.classes)} classes need scores ({n}, "
                f"{len(self.classes) + 1}), got {self.scores.shape} and rejections {self.rejected.shape}"
            )

    @property
    def guesses(self) -> list[str | None]:
        """The best guess for each segment, rejected or not."""
        return [self.classes[i] if i != NOBODY else None for i in self.best]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The score (N,) of the best guess, 0 where there is none."""
        rows = np.arange(len(self.best))
        return np.where(self.best != NOBODY, self.scores[rows, np.maximum(self.best, 0)], 0.0)

    @property
    def is_background(self) -> NDArray[np.bool_]:
        """Where (N,) background scores above every class."""
        return self.scores[:, -1] > self.confidence


class Fitted(Protocol):
    """A method that has learned."""

    @property
    def knows_background(self) -> bool:
        """Whether it has learned what is no object."""

    def answer(self, segments: Segments, *, background: bool = True) -> Answers:
        """What it says of the segments; without `background`, as if it knew nothing but objects."""

    def embed(self, segments: Segments) -> NDArray[np.float32]:
        """Unit rows (N, D) to search by."""


@dataclass(frozen=True, slots=True)
class VotingBank:
    """Prototypes that vote, as `samdb classify` lets them; with a `head` they compare what it makes of the
    embeddings that it reads.
    """

    recipe: str
    prototypes: Sequence[Prototype]
    classes: tuple[str, ...]
    k_neighbours: int
    temperature: float
    thresholds: Mapping[str, float]
    head: Head | None = None

    @property
    def knows_background(self) -> bool:
        """Whether any prototype is background."""
        return any(p.class_name is None for p in self.prototypes)

    def answer(self, segments: Segments, *, background: bool = True) -> Answers:
        """The vote, then the thresholds."""
        c, rows = len(self.classes), np.arange(len(segments))
        with one_thread():
            near = nearest_prototypes(
                self.embed(segments),
                _known(self.prototypes, background=background),
                self.classes,
                self.k_neighbours,
            )
        votes = hold_vote(near, self.temperature, c)
        scores = class_scores(near, self.temperature, c)
        named = (votes.winner != NOBODY) & (votes.winner < c)
        best = np.where(named, votes.winner, votes.runner_up)
        limits = np.array([self.thresholds.get(name, 0.0) for name in self.classes])
        low = scores[rows, np.maximum(best, 0)] < limits[np.maximum(best, 0)]
        return Answers(self.classes, scores, best, ~named | low)

    def embed(self, segments: Segments) -> NDArray[np.float32]:
        """The stored vectors, or what the head makes of them."""
        if self.head is None:
            return segments.vectors[self.recipe]
        read = self.head.recipes
        beside = np.hstack([segments.vectors[r] for r in read])
        return self.head.project(normalise(beside / np.sqrt(len(read))))


@dataclass(frozen=True, slots=True)
class NearestCentre:
    """The class of the nearest centre, if it is near enough."""

    recipe: str
    prototypes: Sequence[Prototype]
    classes: tuple[str, ...]

    @property
    def knows_background(self) -> bool:
        """Whether any centre is background."""
        return any(p.class_name is None for p in self.prototypes)

    def answer(self, segments: Segments, *, background: bool = True) -> Answers:
        """Every class scores the cosine of its nearest centre."""
        known = _known(self.prototypes, background=background)
        codes = class_indices([p.class_name for p in known], self.classes)
        with one_thread():
            cosines = segments.vectors[self.recipe] @ np.stack([p.vector for p in known]).T
        scores = np.zeros((len(segments), len(self.classes) + 1))
        for index in range(len(self.classes) + 1):
            own = cosines[:, codes == index]
            if own.shape[1]:
                scores[:, index] = np.clip(own.max(axis=1), 0.0, 1.0)
        best = scores[:, :-1].argmax(axis=1)
        confidence = scores[np.arange(len(best)), best]
        rejected = (confidence <= PRIOR_THRESHOLD) | (scores[:, -1] > confidence)
        return Answers(self.classes, scores, best, rejected)

    def embed(self, segments: Segments) -> NDArray[np.float32]:
        """The stored vectors."""
        return segments.vectors[self.recipe]


@dataclass(frozen=True, slots=True)
class Guessing:
    """Draws a class for every segment; `shares` (C + 1,) say how often which, background last."""

    classes: tuple[str, ...]
    shares: NDArray[np.float64]
    seed: int

    @property
    def knows_background(self) -> bool:
        """Whether background is among what is drawn."""
        return bool(self.shares[-1] > 0)

    def answer(self, segments: Segments, *, background: bool = True) -> Answers:
        """The largest score is of class c as often as `shares` says, whatever the segment."""
        rng = np.random.default_rng([self.seed, len(segments)])
        shares = self.shares if background else np.append(self.shares[:-1], 0.0)
        # the first of independent exponential clocks with these rates: a draw, and an order among the rest
        pace = shares / rng.exponential(size=(len(segments), len(shares)))
        scores = pace / pace.sum(axis=1, keepdims=True)
        best = scores[:, :-1].argmax(axis=1)
        return Answers(self.classes, scores, best, scores[:, -1] > scores[np.arange(len(best)), best])

    def embed(self, segments: Segments) -> NDArray[np.float32]:
        """Random directions."""
        rng = np.random.default_rng([self.seed, len(segments), 1])
        rows = rng.normal(size=(len(segments), 8))
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _known(prototypes: Sequence[Prototype], *, background: bool) -> list[Prototype]:
    return [p for p in prototypes if background or p.class_name is not None]
