"""Ingest, third stage: what SAM said of an image becomes the points to write, and is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from samdb.core.head import HEAD_KEY, PROJECTED
from samdb.core.points import Point
from samdb.core.sample import Sample
from samdb.errors import InputError, ModelError
from samdb.pipelines.cutting import Cut, assemble
from samdb.pipelines.ingest_asking import Answer
from samdb.pipelines.ingest_profile import Stopwatch
from samdb.pipelines.ingest_reading import Pause
from samdb.pipelines.ingest_writing import ImagePoints, MovedImage
from samdb.pipelines.ledger import LedgerEntry, ledger_point
from samdb.ports import Segmenter
from samdb.stores.codec import segment_to_point


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """An image that is ready to be written: `ingested` with `n_segments`, `quarantined` for a `reason`, or
    `unchanged`. `problems` are its labels that were left out; `write` is None when nothing is to be written.
    """

    image_id: str
    status: Literal["ingested", "unchanged", "quarantined"]
    n_segments: int
    reason: str
    problems: tuple[str, ...]
    write: ImagePoints | MovedImage | None


@dataclass(slots=True)
class Tally:
    """What a run has done so far."""

    n_ingested: int = 0
    n_unchanged: int = 0
    n_segments: int = 0
    quarantined: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def n_images(self) -> int:
        """Images counted."""
        return self.n_ingested + self.n_unchanged + len(self.quarantined)

    def add(self, image: Finished) -> None:
        """Count an image."""
        self.n_ingested += image.status == "ingested"
        self.n_unchanged += image.status == "unchanged"
        self.n_segments += image.n_segments
        self.problems += [Problem(image.image_id, text) for text in image.problems]
        if image.status == "quarantined":
            self.quarantined.append(Problem(image.image_id, image.reason))

    def refuse(self, refused: Sequence[tuple[str, str]]) -> None:
        """Count what the store refused (image id, text) of images that were added."""
        self.n_segments -= len(refused)
        self.problems += [Problem(image_id, text) for image_id, text in refused]


class Finishing:
    """Makes points of answers and hands them on."""

    def __init__(
        self,
        segmenter: Segmenter,
        run: str,
        ledger: Mapping[str, LedgerEntry],
        stopwatch: Stopwatch,
        hand_on: Callable[[Finished | Pause], None],
        head: str = "",
    ) -> None:
        self._segmenter = segmenter
        self._run = run
        self._ledger = ledger
        self._stopwatch = stopwatch
        self._hand_on = hand_on
        self._head = head

    def finish(self, answer: Answer | LedgerEntry | Pause) -> None:
        """Finish one image."""
        if isinstance(answer, LedgerEntry):
            self._hand_on(self._unchanged(answer))
        elif isinstance(answer, Pause):
            self._hand_on(answer)
        else:
            with self._stopwatch("finish"):
                finished = self._cut(answer)
            self._hand_on(finished)

    def _marked(self, point: Point) -> Point:
        """The point of a segment, told which head its projected vector is of, if it has one."""
        if PROJECTED not in point.vectors:
            return point
        return replace(point, payload={**point.payload, HEAD_KEY: self._head})

    def _unchanged(self, entry: LedgerEntry) -> Finished:
        """An unchanged image's troubles are reported again: they have not gone away."""
        moved = entry.path != self._ledger[entry.image_id].path
        write = MovedImage(entry.image_id, entry.path) if moved else None
        if entry.status == "quarantined":
            reason = entry.reason or "unknown"
            return Finished(entry.image_id, "quarantined", 0, reason, entry.problems, write)
        return Finished(entry.image_id, "unchanged", 0, "", entry.problems, write)

    def _cut(self, answer: Answer) -> Finished:
        """The points of an image's segments and its point in the ledger; none and why, when it fails."""
        work, sample = answer.work, answer.work.sample
        reason = answer.reason or "it could not be cut"
        if answer.pieces is not None:
            try:
                cut: Cut = assemble(self._segmenter, answer.pieces, sample, self._run)
                entry = work.entry(len(cut.segments), cut.problems)
                ledger = ledger_point(sample, entry, answer.size_hw, answer.vector)
                segments = [self._marked(segment_to_point(s)) for s in cut.segments]
            except (InputError, ModelError, ValueError) as exc:
                reason = str(exc)
            else:
                points = ImagePoints(sample, segments, ledger)
                return Finished(sample.image_id, "ingested", len(segments), "", cut.problems, points)
        return quarantined(sample, work.entry(0, sample.problems, reason))


def quarantined(sample: Sample, entry: LedgerEntry) -> Finished:
    """An image that cannot be cut, for the entry's reason; it loses the segments that it had."""
    points = ImagePoints(sample, [], ledger_point(sample, entry, None, None))
    return Finished(sample.image_id, "quarantined", 0, entry.reason or "unknown", sample.problems, points)
