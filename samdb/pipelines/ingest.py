"""Ingest: a dataset's images to segments in the store, resumable at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samdb.core.points import Condition, Point, Where
from samdb.core.sample import Sample
from samdb.errors import ImageError, InputError, ModelError
from samdb.pipelines.cutting import CutSettings, cut_image
from samdb.pipelines.ledger import LedgerEntry, file_sha256, fingerprint, ledger_point, read_ledger
from samdb.ports import Dataset, Segmenter, VectorStore
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import IMAGES, SEGMENTS

#: images whose points are made durable together (an fsync costs about 12 ms); a killed run repeats at most
#: these
_IMAGES_PER_FLUSH = 8
#: images read and decoded ahead of SAM
_READ_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out, and why."""

    image_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far a run is; `n_total` counts the images it has to look at."""

    n_total: int
    n_seen: int
    n_segments: int


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What a run did. `quarantined` images are not in the store; `problems` are labels that were left out."""

    dataset: str
    n_images: int
    n_ingested: int
    n_unchanged: int
    n_segments: int
    n_removed: int
    quarantined: tuple[Problem, ...]
    problems: tuple[Problem, ...]
    seconds: float

    @property
    def images_per_s(self) -> float:
        """Images cut per second, unchanged ones left out."""
        return self.n_ingested / self.seconds if self.seconds > 0 else 0.0


@dataclass(slots=True)
class _Tally:
    n_ingested: int = 0
    n_unchanged: int = 0
    n_segments: int = 0
    n_removed: int = 0
    quarantined: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Work:
    """An image on its way: what must be done, and its pixels (or why there are none) once read."""

    sample: Sample
    sha256: str
    fingerprint: str
    pixels: NDArray[np.uint8] | None
    reason: str | None


ReadImage = Callable[[Sample], NDArray[np.uint8]]


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
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Cut every image of the dataset and store its segments.

    Images whose file, labels and settings have not changed since they were ingested are skipped; a changed
    one is replaced without leaving an orphan. An image that cannot be read is quarantined and the run goes
    on. Killed at any moment and run again, it ends with the points of an uninterrupted run.

    Raises StoreError when the store fails; what was acknowledged stays, and the next run resumes.
    """
    started = time.perf_counter()
    n_total = _count(dataset, split, limit)
    samples = islice(dataset.samples(split), limit)
    ledger = read_ledger(store, dataset.name)
    tally = _Tally()
    writer = _Writer(store)
    seen = 0
    for seen, work in enumerate(_read_ahead(samples, ledger, segmenter, settings, read_image), 1):
        if isinstance(work, LedgerEntry):
            _count_unchanged(work, tally)
        elif work.pixels is None:
            _quarantine(work, work.reason or "it could not be read", writer, tally)
        else:
            try:
                _ingest_image(work, work.pixels, segmenter, settings, run, writer, tally)
            except (InputError, ModelError, ValueError) as exc:
                _quarantine(work, str(exc), writer, tally)
        on_progress(IngestProgress(n_total, seen, tally.n_segments))
    writer.flush()
    tally.n_removed = writer.n_removed
    return IngestReport(
        dataset=dataset.name,
        n_images=seen,
        n_ingested=tally.n_ingested,
        n_unchanged=tally.n_unchanged,
        n_segments=tally.n_segments,
        n_removed=tally.n_removed,
        quarantined=tuple(tally.quarantined),
        problems=tuple(tally.problems),
        seconds=time.perf_counter() - started,
    )


def _count(dataset: Dataset, split: str | None, limit: int | None) -> int:
    rows = dataset.summary()
    n = sum(row.n_images for row in rows if split is None or row.split == split)
    return n if limit is None else min(n, limit)


def _read_ahead(
    samples: Iterable[Sample],
    ledger: dict[str, LedgerEntry],
    segmenter: Segmenter,
    settings: CutSettings,
    read_image: ReadImage,
) -> Iterator[_Work | LedgerEntry]:
    """Decode the next images in a thread while SAM works on this one."""

    def look(sample: Sample) -> _Work | LedgerEntry:
        sha256, cut = file_sha256(sample.path), fingerprint(segmenter, settings, sample)
        known = ledger.get(sample.image_id)
        if known is not None and (known.sha256, known.fingerprint) == (sha256, cut):
            return known
        try:
            return _Work(sample, sha256, cut, read_image(sample), None)
        except ImageError as exc:
            return _Work(sample, sha256, cut, None, str(exc))

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="samdb-read") as pool:
        waiting: list[Future[_Work | LedgerEntry]] = []
        try:
            for sample in samples:
                waiting.append(pool.submit(look, sample))
                if len(waiting) > _READ_AHEAD:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            pool.shutdown(cancel_futures=True)


def _count_unchanged(entry: LedgerEntry, tally: _Tally) -> None:
    """An unchanged image's troubles are reported again: they have not gone away."""
    tally.n_unchanged += 1
    tally.problems += [Problem(entry.image_id, text) for text in entry.problems]
    if entry.status == "quarantined":
        tally.quarantined.append(Problem(entry.image_id, entry.reason or "unknown"))


def _quarantine(work: _Work, reason: str, writer: _Writer, tally: _Tally) -> None:
    tally.quarantined.append(Problem(work.sample.image_id, reason))
    entry = LedgerEntry(
        work.sample.image_id, work.sha256, work.fingerprint, "quarantined", 0, reason, work.sample.problems
    )
    writer.add(work.sample, [], ledger_point(work.sample, entry, None, None))


def _ingest_image(
    work: _Work,
    pixels: NDArray[np.uint8],
    segmenter: Segmenter,
    settings: CutSettings,
    run: str,
    writer: _Writer,
    tally: _Tally,
) -> None:
    sample = work.sample
    image = segmenter.encode(pixels)
    cut = cut_image(segmenter, image, sample, settings, run)
    entry = LedgerEntry(
        sample.image_id, work.sha256, work.fingerprint, "done", len(cut.segments), None, cut.problems
    )
    point = ledger_point(sample, entry, image.size_hw, segmenter.image_vector(image))
    writer.add(sample, [segment_to_point(s) for s in cut.segments], point)
    tally.n_ingested += 1
    tally.n_segments += len(cut.segments)
    tally.problems += [Problem(sample.image_id, text) for text in cut.problems]


class _Writer:
    """Writes images in small groups, always in the order that makes a kill harmless: segments, orphans
    away, all of it durable, and only then the ledger.
    """

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._waiting: list[tuple[Sample, list[Point], Point]] = []
        self.n_removed = 0

    def add(self, sample: Sample, segments: list[Point], ledger: Point) -> None:
        self._waiting.append((sample, segments, ledger))
        if len(self._waiting) >= _IMAGES_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        points = [p for _, segments, _ in self._waiting for p in segments]
        if points:
            self._store.upsert(SEGMENTS, points)
        self._remove_orphans({p.id for p in points})
        self._store.flush(SEGMENTS)
        self._store.upsert(IMAGES, [ledger for _, _, ledger in self._waiting])
        self._store.flush(IMAGES)
        self._waiting.clear()

    def _remove_orphans(self, written: set[str]) -> None:
        """Delete segments that these images had before and no longer have."""
        by_dataset: dict[str, list[str]] = {}
        for sample, _, _ in self._waiting:
            by_dataset.setdefault(sample.dataset, []).append(sample.image_id)
        for dataset, image_ids in by_dataset.items():
            where: Where = (
                Condition("dataset", "=", (dataset,)),
                Condition("image_id", "=", tuple(image_ids)),
            )
            orphans = [p.id for p in self._store.scroll(SEGMENTS, where) if p.id not in written]
            if orphans:
                self._store.delete(SEGMENTS, ids=orphans)
                self.n_removed += len(orphans)
