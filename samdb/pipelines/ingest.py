"""Ingest: a dataset's images to segments in the store, resumable at any moment.

    reading threads     which images need work; hash, decode, scale        ingest_reading
    this thread         SAM: encode several at once, then ask about each   ingest_asking
    a finishing thread  the whole/part tree, pooling, points               ingest_finishing
    a writing thread    the store                                          ingest_writing

SAM never waits for the others: few images lie between one stage and the next, and each stage lets go of what
the next does not need.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from itertools import islice

from samdb.core.sample import Sample
from samdb.pipelines.claims import Claims
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest_asking import Answer, Asking
from samdb.pipelines.ingest_finishing import Finished, Finishing, Problem, Tally
from samdb.pipelines.ingest_profile import IngestProfile, Stopwatch
from samdb.pipelines.ingest_reading import Pause, Reader, ReadImage
from samdb.pipelines.ingest_report import IngestProgress, IngestReport, make_report
from samdb.pipelines.ingest_writing import IMAGES_PER_FLUSH, Writer
from samdb.pipelines.ledger import read_ledger
from samdb.pipelines.overlap import Stage
from samdb.ports import Dataset, Segmenter, VectorStore

__all__ = ["IngestProfile", "IngestProgress", "IngestReport", "Problem", "ReadImage", "ingest"]

#: images whose features wait to be pooled
_FINISH_AHEAD = 2


def ingest(
    dataset: Dataset,
    segmenter: Segmenter,
    store: VectorStore,
    settings: CutSettings,
    *,
    read_image: ReadImage,
    run: str,
    split: str | None = None,
    limit: int | None = None,
    head: str = "",
    claims: Claims | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Cut every image of the dataset and store its segments.

    Images whose file, labels and settings have not changed since they were ingested are skipped; a changed
    one is replaced without leaving an orphan. An image that cannot be read is quarantined and the run goes
    on; it is tried again in every run. Killed at any moment and run again, it ends with the points of an
    uninterrupted run. Images that are no longer in the dataset stay in the store. Until this returns, the
    store is used by a thread of its own. `head` names the head of a segmenter that projects: new
    segments are marked with it. With `claims` several processes may do this for one dataset and store at the
    same time: they share the images. On KeyboardInterrupt what is cut already is stored first.

    Raises StoreError when the store fails; what was acknowledged stays, and the next run resumes. Raises
    DatasetError when the store holds other images under this dataset's name.
    """
    started = time.perf_counter()
    stopwatch = Stopwatch()
    n_total = count_images(dataset, split, limit)
    everything = islice(dataset.samples(split), limit)
    with ExitStack() as stack:
        samples: Iterable[Sample | Pause] = everything
        if claims is None:
            ledger = read_ledger(store, dataset.name)
        else:
            ledger = {}
            samples = stack.enter_context(claims).shared(everything, ledger)
        release: Callable[[Sequence[str]], None] = claims.release if claims else lambda _: None
        writer = Writer(store, dataset.name, ledger, stopwatch, on_written=release)
        writing = Writing(writer, release)
        seen = n_segments = 0

        def tell(n: int) -> None:
            nonlocal seen, n_segments
            stage.check()
            seen, n_segments = seen + 1, n_segments + n
            on_progress(IngestProgress(n_total, seen, n_segments))

        with Stage("samdb-write", writing.write, IMAGES_PER_FLUSH, at_end=writing.flush) as stage:
            cut_samples(
                samples,
                Reader(ledger, segmenter, settings, read_image, stopwatch),
                Asking(segmenter, settings, stopwatch),
                Finishing(segmenter, run, ledger, stopwatch, stage.put, head),
                tell,
            )
    writing.tally.refuse(writer.refused)
    seconds = time.perf_counter() - started
    return make_report(dataset.name, writing.tally, writer.n_removed, seconds, stopwatch.profile())


def cut_samples(
    samples: Iterable[Sample | Pause],
    reader: Reader,
    asking: Asking,
    finishing: Finishing,
    on_answer: Callable[[int], None],
) -> None:
    """Take images through reading, SAM and finishing; `on_answer` is told of each how many masks SAM found.

    On KeyboardInterrupt what SAM has answered is finished first.
    """
    with (
        Stage("samdb-finish", finishing.finish, _FINISH_AHEAD) as finish,
        closing(reader.read_ahead(samples)) as works,
    ):
        for answer in asking.answers(works):
            finish.put(answer)
            if not isinstance(answer, Pause):
                pieces = answer.pieces if isinstance(answer, Answer) else None
                on_answer(0 if pieces is None else len(pieces.pieces))


class Writing:
    """The last stage: counts finished images and gives them to the writer. `release` is told of those that
    there is nothing to write of.
    """

    def __init__(self, writer: Writer, release: Callable[[Sequence[str]], None]) -> None:
        self._writer = writer
        self._release = release
        self._unchanged: list[str] = []
        self.tally = Tally()

    def write(self, image: Finished | Pause) -> None:
        """Count an image and write it with others; in a pause, all that waits."""
        if isinstance(image, Pause):
            self.flush()
            return
        self.tally.add(image)
        if image.write is not None:
            self._writer.write(image.write)
            return
        self._unchanged.append(image.image_id)
        if len(self._unchanged) >= IMAGES_PER_FLUSH:
            self._release_unchanged()

    def flush(self) -> None:
        """Write what waits."""
        self._writer.flush()
        self._release_unchanged()

    def _release_unchanged(self) -> None:
        self._release(self._unchanged)
        self._unchanged = []


def count_images(dataset: Dataset, split: str | None, limit: int | None) -> int:
    """How many images a run has to look at."""
    rows = dataset.summary()
    n = sum(row.n_images for row in rows if split is None or row.split == split)
    return n if limit is None else min(n, limit)
