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
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest_asking import Answer, Asking
from samdb.pipelines.ingest_finishing import Finishing, Problem
from samdb.pipelines.ingest_profile import IngestProfile, Stopwatch
from samdb.pipelines.ingest_reading import Reader, ReadImage
from samdb.pipelines.ingest_writing import IMAGES_PER_FLUSH, Writer
from samdb.pipelines.ledger import read_ledger
from samdb.pipelines.overlap import Stage
from samdb.ports import Dataset, Segmenter, VectorStore

__all__ = ["IngestProfile", "IngestProgress", "IngestReport", "Problem", "ReadImage", "ingest"]

#: images whose features wait to be pooled
_FINISH_AHEAD = 2


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far a run is; `n_total` counts the images it has to look at. What is seen may not be stored yet."""

    n_total: int
    n_seen: int
    n_segments: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a run did.

    `n_images` were looked at: `n_ingested` were cut into `n_segments` segments, `n_unchanged` needed nothing,
    the others are `quarantined`: they have no segments in the store. `problems` are labels that were left
    out. Both name the troubles of unchanged images too. `n_removed` segments of earlier runs are gone.
    `profile` says where the time went.
    """

    dataset: str
    n_images: int
    n_ingested: int
    n_unchanged: int
    n_segments: int
    n_removed: int
    quarantined: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    seconds: float
    profile: IngestProfile

    @property
    def images_per_s(self) -> float:
        """Images cut per second of the run, unchanged and quarantined ones not counted."""
        return self.n_ingested / self.seconds if self.seconds > 0 else 0.0

    @property
    def sam_share(self) -> float:
        """Share (0..1) of the run's time in which SAM was at work."""
        return self.profile.sam_s / self.seconds if self.seconds > 0 else 0.0


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
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Cut every image of the dataset and store its segments.

    Images whose file, labels and settings have not changed since they were ingested are skipped; a changed
    one is replaced without leaving an orphan. An image that cannot be read is quarantined and the run goes
    on; it is tried again in every run. Killed at any moment and run again, it ends with the points of an
    uninterrupted run. Images that are no longer in the dataset stay in the store. Until this returns, the
    store is used by a thread of its own. `head` names the head of a segmenter that projects: new
    segments are marked with it. On KeyboardInterrupt what is cut already is stored first.

    Raises StoreError when the store fails; what was acknowledged stays, and the next run resumes. Raises
    DatasetError when the store holds other images under this dataset's name.
    """
    started = time.perf_counter()
    stopwatch = Stopwatch()
    n_total = _count(dataset, split, limit)
    samples = islice(dataset.samples(split), limit)
    ledger = read_ledger(store, dataset.name)
    reader = Reader(ledger, segmenter, settings, read_image, stopwatch)
    asking = Asking(segmenter, settings, stopwatch)
    writer = Writer(store, dataset.name, ledger, stopwatch)
    seen = n_segments = 0
    with Stage("samdb-write", writer.write, IMAGES_PER_FLUSH, at_end=writer.flush) as writing:
        finishing = Finishing(segmenter, run, ledger, stopwatch, writing.put, head)
        with (
            Stage("samdb-finish", finishing.finish, _FINISH_AHEAD) as finish,
            closing(reader.read_ahead(samples)) as works,
        ):
            for seen, answer in enumerate(asking.answers(works), 1):
                finish.put(answer)
                writing.check()
                if isinstance(answer, Answer) and answer.pieces is not None:
                    n_segments += len(answer.pieces.pieces)
                on_progress(IngestProgress(n_total, seen, n_segments))
    tally = finishing.tally
    return IngestReport(
        dataset=dataset.name,
        n_images=seen,
        n_ingested=tally.n_ingested,
        n_unchanged=tally.n_unchanged,
        n_segments=tally.n_segments,
        n_removed=writer.n_removed,
        quarantined=tuple(tally.quarantined),
        problems=tuple(tally.problems),
        seconds=time.perf_counter() - started,
        profile=stopwatch.profile(),
    )


def _count(dataset: Dataset, split: str | None, limit: int | None) -> int:
    rows = dataset.summary()
    n = sum(row.n_images for row in rows if split is None or row.split == split)
    return n if limit is None else min(n, limit)
