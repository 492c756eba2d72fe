"""The timed work of each benchmark, the same for both sides: a segmenter behind the port, or its networks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.api import Database
from samdb.core.masks import Rle
from samdb.datasets.images import read_image
from samdb.errors import InputError
from samdb.ports import Segmenter
from scripts.benchmark.machine import peak_mb
from scripts.benchmark.ours import settings_of
from scripts.benchmark.plan import Plan
from scripts.benchmark.timing import timed


@dataclass(slots=True)
class Tally:
    """What the timed work gave; `peak_mb` is read before anything else is done."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    n_images: int = 0
    n_masks: list[int] = field(default_factory=list)
    n_encoded: int = 0
    n_prompts: int = 0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    masks: list[list[Rle]] = field(default_factory=list)

    def write_masks(self, path: Path) -> None:
        """The masks of each image, as COCO run lengths, for the comparison."""
        rows = [[{"size": list(m.size_hw), "counts": m.counts} for m in masks] for masks in self.masks]
        path.write_text(json.dumps(rows), "utf-8")


#: something small that runs all the code once: on the stock side a grid of 8x8 points
WarmUp = Callable[[NDArray[np.uint8]], None]


def automatic(plan: Plan, segmenter: Segmenter, warm_up: WarmUp) -> Tally:
    """Automatic masks of each photograph, encoding included, reading the file not."""
    tally = Tally()
    pictures = [read_image(Path(path)) for path in plan.images]
    warm_up(pictures[0])
    asked = _asked(segmenter)
    for pixels in pictures:
        done = timed(lambda p=pixels: segmenter.automatic(segmenter.encode(p)), plan.device)  # type: ignore[misc]
        _add(tally, done.seconds, done.cpu_s, [m.mask for m in done.result])
    return _finish(tally, segmenter, asked)


def classify(plan: Plan, segmenter: Segmenter, warm_up: WarmUp) -> Tally:
    """Each photograph from its file to classified segments: automatic masks, embeddings, the bank's vote."""
    tally = Tally()
    with Database(settings_of(plan, plan.store)) as db:
        db.segmenter = segmenter
        first = Path(plan.images[0])
        pixels = read_image(first)
        warm_up(pixels)
        height, width = pixels.shape[:2]
        db.classify(first, boxes_xyxy=[(width * 0.25, height * 0.25, width * 0.75, height * 0.75)])
        asked = _asked(segmenter)
        for path in plan.images:
            done = timed(lambda p=path: db.classify(p), plan.device)  # type: ignore[misc]
            _add(tally, done.seconds, done.cpu_s, [s.segment.mask for s in done.result.segments])
        return _finish(tally, segmenter, asked)


def ingest(plan: Plan, segmenter: Segmenter) -> Tally:
    """Labelled images from their files into a new embedded store, as one run: seconds are its time / images.

    A first image, not timed, warms up and lays out the store.
    """
    tally = Tally()
    split = plan.split or None
    with (
        tempfile.TemporaryDirectory(prefix="samdb-bench-") as folder,
        Database(settings_of(plan, str(Path(folder) / "store"))) as db,
    ):
        db.segmenter = segmenter
        db.ingest(plan.data, split=split, prompts="labels", limit=1)
        asked = _asked(segmenter)
        done = timed(
            lambda: db.ingest(plan.data, split=split, prompts="labels", limit=1 + plan.limit), plan.device
        )
        _finish(tally, segmenter, asked)
    n = done.result.n_ingested
    if n == 0:
        raise InputError(f"{plan.data} has no second image to ingest: give a larger dataset with --data")
    tally.seconds[""] = [done.seconds / n]
    tally.n_images, tally.n_masks = n, [done.result.n_segments]
    tally.cpu_s = done.cpu_s
    return tally


def repeated(plan: Plan, work: Callable[[int], Callable[[], object]], times: int) -> Tally:
    """For each batch size: `work(size)` prepares, what it returns is timed; seconds per image or prompt."""
    tally = Tally()
    for size in plan.batch_sizes:
        run = work(size)
        run()
        for _ in range(times):
            done = timed(run, plan.device)
            tally.seconds.setdefault(str(size), []).append(done.seconds / size)
            tally.cpu_s += done.cpu_s
    tally.n_images = times
    tally.peak_mb = peak_mb()
    return tally


def _asked(segmenter: Segmenter) -> tuple[int, int]:
    """Images encoded and prompts decoded so far; only the stock side counts them."""
    return getattr(segmenter, "n_encoded", 0), getattr(segmenter, "n_prompts", 0)


def _finish(tally: Tally, segmenter: Segmenter, before: tuple[int, int]) -> Tally:
    """Read what the work has needed, before anything else is done."""
    tally.peak_mb = peak_mb()
    after = _asked(segmenter)
    tally.n_encoded, tally.n_prompts = after[0] - before[0], after[1] - before[1]
    return tally


def _add(tally: Tally, seconds: float, cpu_s: float, masks: Sequence[Rle]) -> None:
    tally.seconds.setdefault("", []).append(seconds)
    tally.cpu_s += cpu_s
    tally.n_images += 1
    tally.n_masks.append(len(masks))
    tally.masks.append(list(masks))
