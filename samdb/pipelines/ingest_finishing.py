"""Ingest, third stage: what SAM said of an image becomes the points to write, and is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from samdb.core.head import HEAD_KEY, PROJECTED
from samdb.core.points import Point
from samdb.errors import InputError, ModelError
from samdb.pipelines.cutting import Cut, assemble
from samdb.pipelines.ingest_asking import Answer
from samdb.pipelines.ingest_profile import Stopwatch
from samdb.pipelines.ingest_writing import ImagePoints, MovedImage
from samdb.pipelines.ledger import LedgerEntry, ledger_point
from samdb.ports import Segmenter
from samdb.stores.codec import segment_to_point


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out, and why."""

    image_id: str
    reason: str


@dataclass(slots=True)
class Tally:
    """What a run has done so far."""

    n_ingested: int = 0
    n_unchanged: int = 0
    n_segments: int = 0
    quarantined: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Finishing:
    """Makes points of answers and hands them on; keeps the tally, which is read when the stage has ended."""

    def __init__(
        self,
        segmenter: Segmenter,
        run: str,
        ledger: Mapping[str, LedgerEntry],
        stopwatch: Stopwatch,
        hand_on: Callable[[ImagePoints | MovedImage], None],
        head: str = "",
    ) -> None:
        self._segmenter = segmenter
        self._run = run
        self._ledger = ledger
        self._stopwatch = stopwatch
        self._hand_on = hand_on
        self._head = head
        self.tally = Tally()

    def finish(self, answer: Answer | LedgerEntry) -> None:
        """Finish one image."""
        if isinstance(answer, LedgerEntry):
            self._count_unchanged(answer)
            return
        with self._stopwatch("finish"):
            points = self._points(answer)
        self._hand_on(points)

    def _marked(self, point: Point) -> Point:
        """The point of a segment, told which head its projected vector is of, if it has one."""
        if PROJECTED not in point.vectors:
            return point
        return replace(point, payload={**point.payload, HEAD_KEY: self._head})

    def _count_unchanged(self, entry: LedgerEntry) -> None:
        """An unchanged image's troubles are reported again: they have not gone away."""
        self.tally.problems += [Problem(entry.image_id, text) for text in entry.problems]
        if entry.status == "quarantined":
            self.tally.quarantined.append(Problem(entry.image_id, entry.reason or "unknown"))
        else:
            self.tally.n_unchanged += 1
        known = self._ledger[entry.image_id]
        if entry.path != known.path:
            self._hand_on(MovedImage(entry.image_id, entry.path))

    def _points(self, answer: Answer) -> ImagePoints:
        """The points of an image's segments and its point in the ledger; none and why, when it fails."""
        work, sample, tally = answer.work, answer.work.sample, self.tally
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
                tally.n_ingested += 1
                tally.n_segments += len(segments)
                tally.problems += [Problem(sample.image_id, text) for text in cut.problems]
                return ImagePoints(sample, segments, ledger)
        tally.quarantined.append(Problem(sample.image_id, reason))
        tally.problems += [Problem(sample.image_id, text) for text in sample.problems]
        return ImagePoints(
            sample, [], ledger_point(sample, work.entry(0, sample.problems, reason), None, None)
        )
