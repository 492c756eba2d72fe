"""Ingest: a dataset's images to segments in the store, resumable at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.core.ids import image_point_id
from samdb.core.points import Condition, Point, Where
from samdb.core.sample import Sample
from samdb.errors import DatasetError, ImageError, InputError, ModelError
from samdb.pipelines.cutting import CutSettings, cut_image
from samdb.pipelines.ledger import (
    PENDING,
    ImageStatus,
    LedgerEntry,
    file_sha256,
    fingerprint,
    ledger_point,
    read_ledger,
)
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
    """What a run did.

    `n_images` were looked at: `n_ingested` were cut into `n_segments` segments, `n_unchanged` needed nothing,
    the others are `quarantined`: they have no segments in the store. `problems` are labels that were left
    out. Both name the troubles of unchanged images too. `n_removed` segments of earlier runs are gone.
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

    @property
    def images_per_s(self) -> float:
        """Images cut per second of the run, unchanged and quarantined ones not counted."""
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

    def entry(self, n_segments: int, problems: tuple[str, ...], reason: str | None = None) -> LedgerEntry:
        """What the ledger will say of it: done, or quarantined when there is a reason."""
        status: ImageStatus = "done" if reason is None else "quarantined"
        path = self.sample.path.absolute()
        return LedgerEntry(
            self.sample.image_id, path, self.sha256, self.fingerprint, status, n_segments, reason, problems
        )


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
    on; it is tried again in every run. Killed at any moment and run again, it ends with the points of an
    uninterrupted run. Images that are no longer in the dataset stay in the store.

    Raises StoreError when the store fails; what was acknowledged stays, and the next run resumes. Raises
    DatasetError when the store holds other images under this dataset's name.
    """
    started = time.perf_counter()
    n_total = _count(dataset, split, limit)
    samples = islice(dataset.samples(split), limit)
    ledger = read_ledger(store, dataset.name)
    tally = _Tally()
    writer = _Writer(store, ledger)
    seen = 0
    try:
        for seen, work in enumerate(_read_ahead(samples, ledger, segmenter, settings, read_image), 1):
            if isinstance(work, LedgerEntry):
                _count_unchanged(work, tally)
                if work.path != ledger[work.image_id].path:
                    writer.move(image_point_id(dataset.name, work.image_id), work.path)
            else:
                writer.add(work.sample, *_points(work, segmenter, settings, run, tally))
            on_progress(IngestProgress(n_total, seen, tally.n_segments))
    except KeyboardInterrupt:
        writer.flush()  # a polite stop: keep what is cut already
        raise
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
        # the file is hashed before it is read: if it changes in between, the next run sees that
        sha256, cut = file_sha256(sample.path), fingerprint(segmenter, settings, sample)
        known = ledger.get(sample.image_id)
        same = known is not None and (known.sha256, known.fingerprint) == (sha256, cut)
        here = None if known is None or not same else replace(known, path=sample.path.absolute())
        if here is not None and here.status == "done":
            return here
        try:
            work = _Work(sample, sha256, cut, read_image(sample), None)
        except ImageError as exc:
            if here is not None and (here.status, here.reason) == ("quarantined", str(exc)):
                return here
            return _Work(sample, sha256, cut, None, str(exc))
        if known is not None and known.sha256 != sha256:
            _check_same_dataset(known, sample)
        return work

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
    tally.problems += [Problem(entry.image_id, text) for text in entry.problems]
    if entry.status == "quarantined":
        tally.quarantined.append(Problem(entry.image_id, entry.reason or "unknown"))
    else:
        tally.n_unchanged += 1


def _check_same_dataset(known: LedgerEntry, sample: Sample) -> None:
    """Refuse to replace an image by one of another dataset that happens to have the same name.

    A dataset may move: what was read at the old place is another dataset only if it is still there.
    """
    if known.path != sample.path.absolute() and known.path.exists() and not _same(known.path, sample.path):
        raise DatasetError(
            f"the store already holds {sample.image_id} of a dataset called {sample.dataset!r}, read from "
            f"{known.path}, and {sample.path} is another picture: give this dataset another name with --name"
        )


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False


def _points(
    work: _Work, segmenter: Segmenter, settings: CutSettings, run: str, tally: _Tally
) -> tuple[list[Point], Point]:
    """The points of an image's segments and its point in the ledger; none and why, when it fails."""
    sample, reason = work.sample, work.reason or "it could not be read"
    if work.pixels is not None:
        try:
            image = segmenter.encode(work.pixels)
            cut = cut_image(segmenter, image, sample, settings, run)
            entry = work.entry(len(cut.segments), cut.problems)
            ledger = ledger_point(sample, entry, image.size_hw, segmenter.image_vector(image))
            segments = [segment_to_point(s) for s in cut.segments]
        except (InputError, ModelError, ValueError) as exc:
            reason = str(exc)
        else:
            tally.n_ingested += 1
            tally.n_segments += len(segments)
            tally.problems += [Problem(sample.image_id, text) for text in cut.problems]
            return segments, ledger
    tally.quarantined.append(Problem(sample.image_id, reason))
    tally.problems += [Problem(sample.image_id, text) for text in sample.problems]
    return [], ledger_point(sample, work.entry(0, sample.problems, reason), None, None)


class _Writer:
    """Writes images in small groups, always in the order that makes a kill harmless: what the ledger says of
    an earlier cut is withdrawn, then segments, orphans away, all of it durable, and only then the ledger.
    """

    def __init__(self, store: VectorStore, ledger: Mapping[str, LedgerEntry]) -> None:
        self._store = store
        self._ledger = ledger
        self._waiting: list[tuple[Sample, list[Point], Point]] = []
        self.n_removed = 0

    def add(self, sample: Sample, segments: list[Point], ledger: Point) -> None:
        self._waiting.append((sample, segments, ledger))
        if len(self._waiting) >= _IMAGES_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        self._withdraw()
        points = [p for _, segments, _ in self._waiting for p in segments]
        if points:
            self._store.upsert(SEGMENTS, points)
        self._remove_orphans({p.id for p in points})
        self._store.flush(SEGMENTS)
        self._store.upsert(IMAGES, [ledger for _, _, ledger in self._waiting])
        self._store.flush(IMAGES)
        self._waiting.clear()

    def move(self, point_id: str, path: Path) -> None:
        """Note where an unchanged image now is: searches look for its file there."""
        self._store.set_payload(IMAGES, [point_id], {"path": str(path)})

    def _withdraw(self) -> None:
        """Else, killed half-way and then run with the earlier settings, the next run would find these images
        done and leave them half replaced.
        """
        replaced = [ledger.id for sample, _, ledger in self._waiting if sample.image_id in self._ledger]
        if replaced:
            self._store.set_payload(IMAGES, replaced, PENDING)
            self._store.flush(IMAGES)

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
