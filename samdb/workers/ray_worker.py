"""A worker on Ray: one SAM in a process of its own, with the same stages around it as in a plain ingest."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samdb._version import __version__
from samdb.core.sample import Sample
from samdb.datasets.images import read_image
from samdb.errors import SamdbError
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest import cut_samples
from samdb.pipelines.ingest_asking import Asking
from samdb.pipelines.ingest_finishing import Finished, Finishing
from samdb.pipelines.ingest_profile import IngestProfile, Stopwatch
from samdb.pipelines.ingest_reading import Pause, Reader
from samdb.pipelines.ingest_writing import ImagePoints, Writer
from samdb.pipelines.ledger import LedgerEntry
from samdb.pipelines.overlap import Stage
from samdb.ports import Segmenter, VectorStore

#: images that wait to be written
_WRITE_AHEAD = 2


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker is made of; it travels to its machine.

    `make_segmenter` is given the number of threads. `open_store` None: the worker does not write, what it cut
    goes back to who asked.
    """

    make_segmenter: Callable[[int], Segmenter]
    open_store: Callable[[], VectorStore] | None
    n_threads: int
    dataset: str
    settings: CutSettings
    run: str
    head: str
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Ready:
    """What a worker says of itself when SAM is loaded: where it is, and what its segmenter is called."""

    host: str
    version: str
    fingerprint: str
    automatic_fingerprint: str
    batch_size: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an image, on which machine. `finished.write` is None when the worker has written it.
    `profile` are the seconds since the last outcome. `found` False: there is no such file.
    """

    finished: Finished
    n_removed: int
    profile: IngestProfile
    host: str
    found: bool


class Worker:
    """The actor. `cut` is called for several images at once, from threads; they go through the stages in
    turn, and each call returns when its image is done: that is all the flow control there is.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        """Keep the setup; nothing here can fail, so that Ray need not guess why an actor cannot be made."""
        self._setup = setup
        self._ready: Ready | None = None
        self._stopwatch = Stopwatch()
        self._ledger: dict[str, LedgerEntry] = {}
        self._waiting: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        self._asked: dict[str, tuple[Sample, Future[Outcome | None]]] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._error: BaseException | None = None

    def load(self) -> Ready:
        """Load SAM, and open the store if the worker writes. Raises what either raises."""
        with self._lock:
            if self._ready is None:
                try:
                    self._ready = self._start()
                except SamdbError as exc:
                    raise type(exc)(f"on the worker {socket.gethostname()}: {exc}") from exc
            return self._ready

    def cut(self, sample: Sample, known: LedgerEntry | None) -> Outcome | None:
        """Cut an image, of which the ledger says `known`; None when the worker was stopped before SAM saw it.

        Raises what ended the stages: StoreError, DatasetError.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            # asked for again: the line to who asked was cut
            _, asked = self._asked.get(sample.image_id, (sample, None))
            if asked is None:
                asked = Future()
                self._asked[sample.image_id] = (sample, asked)
                if known is not None:
                    self._ledger[sample.image_id] = known
                self._waiting.put(sample)
        return asked.result()

    def stop(self) -> None:
        """Give back what SAM has not seen yet."""
        self._stopped = True

    def _start(self) -> Ready:
        setup = self._setup
        segmenter = setup.make_segmenter(setup.n_threads)
        store = setup.open_store() if setup.open_store else None
        # SAM keeps to one thread, as in a plain ingest
        threading.Thread(target=self._run, args=(segmenter, store), daemon=True).start()
        return Ready(
            socket.gethostname(),
            __version__,
            segmenter.fingerprint,
            segmenter.automatic_fingerprint,
            segmenter.batch_size,
        )

    def _run(self, segmenter: Segmenter, store: VectorStore | None) -> None:
        setup, ledger, stopwatch = self._setup, self._ledger, self._stopwatch

        def read(sample: Sample) -> NDArray[np.uint8]:
            return read_image(sample.path, setup.max_pixels)

        try:
            with ExitStack() as stack:
                deliver: Callable[[Finished | Pause], None] = self._answer
                if store is not None:
                    # one by one: the call returns when its image is written
                    writer = Writer(store, setup.dataset, ledger, stopwatch, together=1)
                    writing: Stage[Finished | Pause] = Stage(
                        "samdb-write", lambda image: self._write(writer, image), _WRITE_AHEAD
                    )
                    deliver = stack.enter_context(writing).put
                cut_samples(
                    self._samples(),
                    Reader(ledger, segmenter, setup.settings, read, stopwatch),
                    Asking(segmenter, setup.settings, stopwatch),
                    Finishing(segmenter, setup.run, ledger, stopwatch, deliver, setup.head),
                    lambda _: None,
                )
        except BaseException as exc:
            with self._lock:
                self._error = exc
                asked, self._asked = list(self._asked.values()), {}
            for _, one in asked:
                one.set_exception(exc)

    def _samples(self) -> Iterator[Sample | Pause]:
        """Images as they come, for ever."""
        while True:
            try:
                sample = self._waiting.get_nowait()
            except queue.Empty:
                yield Pause()
                sample = self._waiting.get()
            if self._stopped:
                self._pop(sample.image_id)[1].set_result(None)
            else:
                yield sample

    def _write(self, writer: Writer, image: Finished | Pause) -> None:
        if isinstance(image, Pause):
            return
        before = writer.n_removed
        if image.write is not None:
            writer.write(image.write)
        refused = [text for image_id, text in writer.refused if image_id == image.image_id]
        problems, n_segments = (*image.problems, *refused), image.n_segments - len(refused)
        image = replace(image, write=None, problems=problems, n_segments=n_segments)
        self._answer(image, writer.n_removed - before)

    def _answer(self, image: Finished | Pause, n_removed: int = 0) -> None:
        if isinstance(image, Pause):
            return
        if isinstance(image.write, ImagePoints):  # labels need not travel back
            points = image.write
            image = replace(image, write=replace(points, sample=replace(points.sample, labels=())))
        sample, asked = self._pop(image.image_id)
        found = image.status != "quarantined" or sample.path.exists()
        host = socket.gethostname()
        asked.set_result(Outcome(image, n_removed, self._stopwatch.take(), host, found))

    def _pop(self, image_id: str) -> tuple[Sample, Future[Outcome | None]]:
        with self._lock:
            self._ledger.pop(image_id, None)
            return self._asked.pop(image_id)
