"""Ingest on Ray: this process hands out images and counts what comes back; workers cut them.

    this process   datasets, ledger or claims -> an image to whichever worker has room
    Ray            carries it there, keeps the worker alive, brings the outcome back
    a worker       reads, asks SAM, pools; writes to a server by itself, else sends the points back

Each worker has a few images in hand, and gets the next when one of them is done: who is faster does more, and
nobody waits. When a worker dies, the images that it had in hand are tried once more, one at a time; one that
kills every worker is quarantined.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from samdb import wiring
from samdb.config import Settings
from samdb.core.head import Head
from samdb.core.sample import Sample
from samdb.errors import ConfigError, WorkerError
from samdb.pipelines.claims import Claims
from samdb.pipelines.ingest import Writing, count_images
from samdb.pipelines.ingest_finishing import Finished, quarantined
from samdb.pipelines.ingest_profile import Stopwatch
from samdb.pipelines.ingest_reading import Pause
from samdb.pipelines.ingest_report import IngestProgress, IngestReport, make_report
from samdb.pipelines.ingest_writing import IMAGES_PER_FLUSH, Writer
from samdb.pipelines.ledger import LedgerEntry, file_sha256, fingerprint, read_ledger
from samdb.pipelines.overlap import Stage
from samdb.pipelines.projecting import ProjectingSegmenter
from samdb.ports import Segmenter, VectorStore
from samdb.workers.local import IngestJob, run_name, terminate_as_interrupt
from samdb.workers.ray_cluster import RayPlan, connected, crew_for
from samdb.workers.ray_crew import Done, Lost, RayCrew
from samdb.workers.ray_worker import WorkerSetup

#: how long to wait for workers before looking whether other processes have given up images
_LOOK_S = 1.0
#: workers that may die of one image: in company, and then twice alone
MOST_DEATHS = 3
#: workers that may die one after the other with no image done between: something else is wrong
_MOST_DEATHS_IN_A_ROW = 12


@dataclass(frozen=True, slots=True)
class LoadSam:
    """Loads SAM on a worker's machine, with the head that projects its embeddings if there is one."""

    settings: Settings
    head: Head | None

    def __call__(self, n_threads: int) -> Segmenter:
        """Load it."""
        segmenter = wiring.load_segmenter(self.settings, n_threads=n_threads)
        return segmenter if self.head is None else ProjectingSegmenter(segmenter, self.head)


def run_ray_ingest(
    job: IngestJob,
    plan: RayPlan,
    settings: Settings,
    store: VectorStore,
    head: Head | None = None,
    claims: Claims | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Run a job on Ray. Workers write to a server themselves; into any other store this process writes.

    SIGTERM ends the run like Ctrl-C: nothing stored is lost. Raises ConfigError when Ray cannot be had.
    """
    with connected(plan) as ray, terminate_as_interrupt():
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        crew = crew_for(plan, nodes)
        setup = WorkerSetup(
            LoadSam(settings, head),
            partial(wiring.open_store, settings) if wiring.is_server(settings) else None,
            crew.n_threads,
            job.dataset.name,
            job.settings,
            run_name(),
            job.head,
            job.max_pixels,
        )
        with RayCrew(ray, crew, setup) as members:
            return ingest_with(members, job, store, claims, on_progress)


def ingest_with(
    members: RayCrew,
    job: IngestJob,
    store: VectorStore,
    claims: Claims | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Run a job with the workers of a crew. `store` is written to here unless the workers do that themselves.

    Raises what `ingest` raises; ConfigError when a worker cannot read the images, WorkerError when workers
    die whatever they are given. On KeyboardInterrupt what is cut already is stored first.
    """
    members.wait_until_ready()
    started = time.perf_counter()
    with ExitStack() as stack:
        everything = islice(job.dataset.samples(job.split), job.limit)
        samples: Iterable[Sample | Pause] = everything
        if claims is None:
            ledger = read_ledger(store, job.dataset.name)
        else:
            ledger = {}
            samples = stack.enter_context(claims).shared(everything, ledger)
        release: Callable[[Sequence[str]], None] = claims.release if claims else lambda _: None
        stopwatch = Stopwatch()
        writer = Writer(store, job.dataset.name, ledger, stopwatch, on_written=release)
        writing = Writing(writer, release)
        stage = stack.enter_context(
            Stage("samdb-write", writing.write, IMAGES_PER_FLUSH, at_end=writing.flush)
        )
        n_total = count_images(job.dataset, job.split, job.limit)
        driver = _Driver(job, members, iter(samples), ledger, stage, n_total, on_progress)
        try:
            driver.run()
        except KeyboardInterrupt:
            for done in members.stop():
                driver.take(done)
            raise
    writing.tally.refuse(writer.refused)
    return make_report(
        job.dataset.name,
        writing.tally,
        writer.n_removed + driver.n_removed,
        time.perf_counter() - started,
        stopwatch.profile() + driver.profile,
        n_workers=max(1, driver.n_workers),
    )


class _Driver:
    """Hands out images until there are none, and takes in what becomes of them."""

    def __init__(
        self,
        job: IngestJob,
        members: RayCrew,
        samples: Iterator[Sample | Pause],
        ledger: Mapping[str, LedgerEntry],
        stage: Stage[Finished | Pause],
        n_total: int,
        on_progress: Callable[[IngestProgress], None],
    ) -> None:
        self._job = job
        self._members = members
        self._samples = samples
        self._ledger = ledger
        self._stage = stage
        self._on_progress = on_progress
        self._at = IngestProgress(n_total, 0, 0)
        self._ended = False
        self._alone: deque[Sample] = deque()
        self._deaths: Counter[str] = Counter()
        self._in_a_row = 0
        self.n_removed = 0
        self.n_workers = 0
        self.profile = Stopwatch().profile()

    def run(self) -> None:
        """Until every image is done."""
        while True:
            self._members.give(self._alone, self._next, lambda sample: self._ledger.get(sample.image_id))
            self.n_workers = max(self.n_workers, len(self._members.ready))
            if self._ended and not self._alone and not self._members.in_hand:
                return
            for event in self._members.wait(_LOOK_S):
                if isinstance(event, Lost):
                    self._take_lost(event)
                else:
                    self.take(event)

    def take(self, event: Done) -> None:
        """Count and write what came back."""
        outcome = event.outcome
        if outcome is None:
            return
        if not outcome.found and event.sample.path.exists():
            raise ConfigError(
                f"the worker on {outcome.host} cannot read {event.sample.path.absolute()}, which is here: "
                "the images must lie at the same path on every machine, such as on a shared disk"
            )
        self._in_a_row = 0
        self.n_removed += outcome.n_removed
        self.profile += outcome.profile
        self._finish(outcome.finished)

    def _finish(self, image: Finished) -> None:
        self._stage.put(image)
        at = self._at
        self._at = IngestProgress(at.n_total, at.n_seen + 1, at.n_segments + image.n_segments)
        self._on_progress(self._at)

    def _next(self) -> Sample | None:
        """The next image; None when there is none just now."""
        sample = next(self._samples, None)
        if isinstance(sample, Sample):
            return replace(sample, path=sample.path.absolute())  # workers run in another folder
        self._ended = sample is None
        if sample is not None:
            self._stage.put(sample)
        return None

    def _take_lost(self, lost: Lost) -> None:
        """Images whose worker died are tried again one at a time; one that killed enough of them is not."""
        self._in_a_row += 1
        if self._in_a_row > _MOST_DEATHS_IN_A_ROW:
            raise WorkerError(
                f"{self._in_a_row} workers died one after the other ({lost.why}) and no image was done in "
                "between: give them more memory, or use fewer --workers"
            )
        for sample in lost.samples:
            self._deaths[sample.image_id] += 1
            if lost.alone and self._deaths[sample.image_id] >= MOST_DEATHS:
                self._quarantine(sample, lost.why)
            else:
                self._alone.append(sample)

    def _quarantine(self, sample: Sample, why: str) -> None:
        n = self._deaths[sample.image_id]
        reason = f"{n} workers died of it ({why}): is there memory enough for this image?"
        cut = fingerprint(self._members.cut_by, self._job.settings, sample)
        entry = LedgerEntry(
            sample.image_id,
            sample.path.absolute(),
            file_sha256(sample.path),
            cut,
            "quarantined",
            0,
            reason,
            sample.problems,
        )
        self._finish(quarantined(sample, entry))
