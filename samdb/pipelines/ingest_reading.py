"""Ingest, first stage: which images need work, and their pixels, read ahead of SAM."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.core.sample import Sample
from samdb.errors import DatasetError, ImageError
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest_profile import Stopwatch
from samdb.pipelines.ledger import ImageStatus, LedgerEntry, file_sha256, fingerprint
from samdb.ports import PreparedImage, Segmenter

ReadImage = Callable[[Sample], NDArray[np.uint8]]


class Pause:
    """Among images: there is none just now, more may come. Every stage does what waits in it, and passes it
    on.
    """


#: images read ahead of SAM, besides those that it takes together
_READ_AHEAD = 2
#: threads that read for a GPU: it takes 20 ms for what takes a thread 15
_MOST_READERS = 8


@dataclass(frozen=True, slots=True)
class Work:
    """An image on its way: what must be done, and the image ready for SAM, or why there is none."""

    sample: Sample
    sha256: str
    fingerprint: str
    image: PreparedImage | None
    reason: str | None = None

    def entry(self, n_segments: int, problems: tuple[str, ...], reason: str | None = None) -> LedgerEntry:
        """What the ledger will say of it: done, or quarantined when there is a reason."""
        status: ImageStatus = "done" if reason is None else "quarantined"
        path = self.sample.path.absolute()
        return LedgerEntry(
            self.sample.image_id, path, self.sha256, self.fingerprint, status, n_segments, reason, problems
        )


@dataclass(frozen=True, slots=True)
class Reader:
    """Looks at samples: what the ledger knows and nothing has changed in needs no work."""

    ledger: Mapping[str, LedgerEntry]
    segmenter: Segmenter
    settings: CutSettings
    read_image: ReadImage
    stopwatch: Stopwatch

    def look(self, sample: Sample) -> Work | LedgerEntry:
        """The work there is on an image; its ledger entry, with the path where it is now, if there is none.

        Raises DatasetError when the ledger knows another picture by this name.
        """
        with self.stopwatch("read"):
            # the file is hashed before it is read: if it changes in between, the next run sees that
            sha256, cut = file_sha256(sample.path), fingerprint(self.segmenter, self.settings, sample)
            known = self.ledger.get(sample.image_id)
            same = known is not None and (known.sha256, known.fingerprint) == (sha256, cut)
            here = None if known is None or not same else replace(known, path=sample.path.absolute())
            if here is not None and here.status == "done":
                return here
            try:
                work = Work(sample, sha256, cut, self.segmenter.prepare(self.read_image(sample)))
            except ImageError as exc:
                if here is not None and (here.status, here.reason) == ("quarantined", str(exc)):
                    return here
                return Work(sample, sha256, cut, None, str(exc))
            if known is not None and known.sha256 != sha256:
                _check_same_dataset(known, sample)
            return work

    def read_ahead(
        self, samples: Iterable[Sample | Pause]
    ) -> Generator[Work | LedgerEntry | Pause, None, None]:
        """Look at samples in threads, a few ahead of whoever takes the answers, which keep the order."""
        together = self.segmenter.batch_size
        n_threads = 1 if together == 1 else min(_MOST_READERS, os.cpu_count() or 1)
        pool = ThreadPoolExecutor(n_threads, thread_name_prefix="samdb-read")
        waiting: deque[Future[Work | LedgerEntry]] = deque()
        try:
            for sample in samples:
                if isinstance(sample, Pause):
                    while waiting:
                        yield waiting.popleft().result()
                    yield sample
                    continue
                waiting.append(pool.submit(self.look, sample))
                if len(waiting) >= together + _READ_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


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
