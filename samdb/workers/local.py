"""Ingest in this process: one SAM, one store, stopped politely by SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from samdb.core.sample import Sample
from samdb.datasets.images import MAX_PIXELS, read_image
from samdb.pipelines.claims import Claims
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest import IngestProgress, IngestReport, ingest
from samdb.ports import Dataset, Segmenter, VectorStore


@dataclass(frozen=True, slots=True)
class IngestJob:
    """What to ingest, and how.

    `limit` counts images from the start of the dataset, or of its `split`. An image of more than `max_pixels`
    is not decoded but quarantined. `head` names the head of a segmenter that projects.
    """

    dataset: Dataset
    settings: CutSettings
    split: str | None = None
    limit: int | None = None
    max_pixels: int = MAX_PIXELS
    head: str = ""


def run_ingest(
    job: IngestJob,
    segmenter: Segmenter,
    store: VectorStore,
    claims: Claims | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Run a job here, with `claims` beside other processes that do the same.

    SIGTERM, as a cluster sends it, ends the run like Ctrl-C: nothing stored is lost.
    """

    def read(sample: Sample) -> NDArray[np.uint8]:
        return read_image(sample.path, job.max_pixels)

    with terminate_as_interrupt():
        return ingest(
            job.dataset,
            segmenter,
            store,
            job.settings,
            read_image=read,
            run=run_name(),
            split=job.split,
            limit=job.limit,
            head=job.head,
            claims=claims,
            on_progress=on_progress,
        )


def run_name() -> str:
    """What to call a run that begins now."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Turn SIGTERM into KeyboardInterrupt, where signals can be handled at all (the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        # None: set by something other than Python, which cannot be restored from here
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
