"""Workers on a real Ray with the rectangle segmenter, which can be slow, and die of an image."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np

from samdb.core.boxes import Box
from samdb.datasets import open_dataset
from samdb.datasets.images import MAX_PIXELS
from samdb.errors import WeightsError
from samdb.pipelines.claims import Claims
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest import IngestProgress, IngestReport
from samdb.ports import EncodedImage, PreparedImage, Segmenter, VectorStore
from samdb.workers.local import IngestJob
from samdb.workers.ray_cluster import Crew
from samdb.workers.ray_crew import RayCrew
from samdb.workers.ray_ingest import ingest_with
from samdb.workers.ray_worker import WorkerSetup
from tests.pipelines.ingest_worlds import Pixels, RectangleSegmenter, noise, write_image

#: what the segmenter finds in every image besides what was labelled
FOUND: tuple[Box, ...] = ((32, 4, 46, 28), (2, 2, 20, 14))


@dataclass
class SlowSegmenter(RectangleSegmenter):
    """Takes `delay_s` for an image, and is killed by a deadly one, as by too little memory."""

    delay_s: float = 0.0

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Wait; die of a deadly image."""
        time.sleep(self.delay_s)
        for image in images:
            assert isinstance(image, Pixels)
            if (image.image[0] == (255, 0, 0)).all():
                os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_batch(images)


def write_deadly(path: Path) -> None:
    """An image that kills who cuts it."""
    pixels = noise(7)
    pixels[0] = np.array([255, 0, 0], dtype=np.uint8)
    write_image(path, pixels)


@dataclass(frozen=True)
class MakeSlow:
    """Makes the segmenter in a worker, and notes the worker's process in a folder."""

    pids: Path
    delay_s: float = 0.0
    together: int = 1

    def __call__(self, n_threads: int) -> Segmenter:
        """Make it."""
        (self.pids / str(os.getpid())).touch()
        return SlowSegmenter(FOUND, delay_s=self.delay_s, together=self.together)


def make_nothing(n_threads: int) -> Segmenter:
    """Raises, as where there are no weights."""
    raise WeightsError("there are no weights: fetch them")


def make_death(n_threads: int) -> Segmenter:
    """Dies, as where SAM does not fit into memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@dataclass(frozen=True)
class MakeBlind:
    """Makes the segmenter in a worker that does not see a folder, as one without the shared disk."""

    folder: Path

    def __call__(self, n_threads: int) -> Segmenter:
        """Hide the folder, from this thread and all that it starts, and make it."""
        assert hide(self.folder)
        return SlowSegmenter(FOUND)


def hide(folder: Path) -> bool:
    """Put an empty disk over a folder, for this thread and all it starts; False if that is not allowed."""
    libc = ctypes.CDLL(None)
    new_namespace, private = 0x00020000, 0x40000 | 0x4000
    return bool(
        libc.unshare(new_namespace) == 0
        and libc.mount(b"none", b"/", None, private, None) == 0
        and libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, None) == 0
    )


@dataclass
class RayWorld:
    """A dataset and what cuts it on Ray."""

    ray: ModuleType
    pids: Path
    n_workers: int = 2
    delay_s: float = 0.0
    together: int = 1
    make: Callable[[int], Segmenter] | None = None
    open_store: Callable[[], VectorStore] | None = None
    told: list[IngestProgress] = field(default_factory=list)

    def ingest(
        self,
        world: Path,
        store: VectorStore,
        claims: Claims | None = None,
        on_progress: Callable[[IngestProgress], None] = lambda _: None,
    ) -> IngestReport:
        """Ingest a folder as `run_ingest` does, labels and all else."""
        dataset = open_dataset(world)
        settings = CutSettings("both", ("neck",))
        make = self.make or MakeSlow(self.pids, self.delay_s, self.together)
        setup = WorkerSetup(make, self.open_store, 1, dataset.name, settings, "run", "", MAX_PIXELS)
        with RayCrew(self.ray, Crew(self.n_workers, 0.5, 0.0), setup) as crew:
            return ingest_with(crew, IngestJob(dataset, settings), store, claims, on_progress)

    def running(self) -> list[int]:
        """The processes of workers that run."""
        return running(self.pids)


def running(pids: Path) -> list[int]:
    """The processes noted in a folder that run."""
    return [pid for path in pids.iterdir() if _runs(pid := int(path.name))]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
