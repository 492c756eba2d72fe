"""Ingest, second stage: SAM, in the thread that called ingest. It encodes several images at once and is
asked about one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from samdb.core.vectors import Vector
from samdb.errors import DeviceMemoryError, InputError, ModelError
from samdb.pipelines.cutting import CutSettings, find_pieces
from samdb.pipelines.ingest_profile import Stopwatch, TimedSam
from samdb.pipelines.ingest_reading import Pause, Work
from samdb.pipelines.ledger import LedgerEntry
from samdb.pipelines.piece import Pieces
from samdb.ports import EncodedImage, PreparedImage, Segmenter

#: images that need nothing may wait for those that fill a batch, but only so many per place in it
_PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What SAM says of an image: its pieces and its global vector; none of both when there is a `reason`.

    Neither the image nor its encoding is held any more.
    """

    work: Work
    size_hw: tuple[int, int] | None = None
    pieces: Pieces | None = None
    vector: Vector | None = None
    reason: str | None = None


class Asking:
    """Takes images to SAM. What is wrong with one of them is its answer, not the end of the run."""

    def __init__(self, segmenter: Segmenter, settings: CutSettings, stopwatch: Stopwatch) -> None:
        self._segmenter = segmenter
        self._settings = settings
        self._stopwatch = stopwatch
        self._sam = TimedSam(segmenter, stopwatch)
        self._together = segmenter.batch_size

    def answers(self, works: Iterable[Work | LedgerEntry | Pause]) -> Iterator[Answer | LedgerEntry | Pause]:
        """An answer for each work, in the order given; ledger entries and pauses are passed on."""
        size = self._segmenter.batch_size
        batch: list[Work | LedgerEntry] = []
        n_images = 0
        for work in works:
            if isinstance(work, Pause):
                yield from self._answer(batch)
                n_images = 0
                yield work
                continue
            batch.append(work)
            n_images += isinstance(work, Work) and work.image is not None
            del work  # who waits for answers must not hold on to images
            if n_images in (0, size) or len(batch) >= _PATIENCE * size:
                yield from self._answer(batch)
                n_images = 0
        yield from self._answer(batch)

    def _answer(self, batch: list[Work | LedgerEntry]) -> Iterator[Answer | LedgerEntry]:
        """Answers for a batch, which is emptied so that its images can be let go of once they are encoded."""
        images = [w.image for w in batch if isinstance(w, Work) and w.image is not None]
        queue = [(w, False) if isinstance(w, LedgerEntry) else _without_image(w) for w in batch]
        batch.clear()
        encoded = self._encode(images)[::-1]
        images.clear()
        for work, is_encoded in queue:
            if isinstance(work, LedgerEntry):
                yield work
            elif is_encoded:
                yield self._ask(work, encoded.pop())
            else:
                yield Answer(work, reason=work.reason or "it could not be read")

    def _ask(self, work: Work, image: EncodedImage | str) -> Answer:
        if isinstance(image, str):
            return Answer(work, reason=image)
        try:
            pieces = find_pieces(self._sam, image, work.sample, self._settings)
            vector = self._segmenter.image_vector(image)
        except (InputError, ModelError, ValueError) as exc:
            return Answer(work, reason=str(exc))
        return Answer(work, image.size_hw, pieces, vector)

    def _encode(self, images: Sequence[PreparedImage]) -> list[EncodedImage | str]:
        """Each image encoded, or why it cannot be."""
        done: list[EncodedImage | str] = []
        while len(done) < len(images):
            batch = images[len(done) : len(done) + self._together]
            try:
                with self._stopwatch("encode"):
                    done += self._segmenter.encode_batch(batch)
                continue
            except DeviceMemoryError as exc:
                full, reason = True, str(exc)
            except (InputError, ModelError, ValueError) as exc:
                full, reason = False, str(exc)
            # tried again out here: inside the handler the failed attempt still holds its memory
            if len(batch) == 1:
                done.append(reason)
            elif full:
                self._together = len(batch) // 2  # for the rest of the run
            else:
                done += [one for image in batch for one in self._encode([image])]
        return done


def _without_image(work: Work) -> tuple[Work, bool]:
    """The work, and whether it had an image."""
    return replace(work, image=None), work.image is not None
