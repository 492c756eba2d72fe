"""Measure how many labelled objects the automatic masks find: `scripts/recall PATH` (a labelled dataset).

For frames spread evenly over a split: the share of labelled boxes of at least 1024 px2 that some mask's box
covers with IoU >= 0.5, and the mean over the boxes of the best IoU; for each mode of automatic masks, with
`--crop-layers 0,1` also for each number of crop layers.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb import wiring
from samdb.config import load_settings
from samdb.core.boxes import box_area, box_iou
from samdb.core.sample import Sample
from samdb.datasets.images import read_image
from samdb.ports import Segmenter

MIN_BOX_PX2 = 1024
MIN_IOU = 0.5
MODES = ("exact", "fast")


@dataclass(frozen=True, slots=True)
class Found:
    """Of one mode: the best IoU of each labelled box (N,), masks per frame, median seconds per frame."""

    best_iou: NDArray[np.float64]
    n_masks: float
    seconds: float

    @property
    def recall(self) -> float:
        """Share of the boxes that are found."""
        return float((self.best_iou >= MIN_IOU).mean())


def labelled_boxes(sample: Sample) -> NDArray[np.float64]:
    """The labelled boxes (N, 4) that count."""
    kept = [label.box_xyxy for label in sample.labels if label.box_xyxy is not None and not label.ignore]
    boxes = np.array(kept, dtype=np.float64).reshape(-1, 4)
    return boxes[box_area(boxes) >= MIN_BOX_PX2]


def spread(samples: Sequence[Sample], n: int) -> list[Sample]:
    """`n` of the samples, evenly spread."""
    return [samples[i] for i in np.unique(np.linspace(0, len(samples) - 1, n).round().astype(int))]


def measure(segmenter: Segmenter, samples: Sequence[Sample]) -> Found:
    """Automatic masks of every sample against its labels."""
    best: list[NDArray[np.float64]] = []
    n_masks, seconds = [], []
    for done, sample in enumerate(samples, 1):
        pixels = read_image(sample.path)
        started = time.perf_counter()
        found = segmenter.automatic(segmenter.encode(pixels))
        seconds.append(time.perf_counter() - started)
        n_masks.append(len(found))
        boxes = labelled_boxes(sample)
        overlaps = box_iou(boxes, np.array([m.box_xyxy for m in found]).reshape(-1, 4))
        best.append(overlaps.max(axis=1, initial=0.0))
        print(f"\r{done} of {len(samples)} frames", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return Found(np.concatenate(best), float(np.mean(n_masks)), float(np.median(seconds)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="a labelled dataset, such as bdd100k/")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--modes", default=",".join(MODES), help="which to measure (default: %(default)s)")
    parser.add_argument("--crop-layers", default="0", help="0, 1 or 2, or several (default: %(default)s)")
    asked = parser.parse_args()
    samples = spread(list(wiring.open_dataset(asked.path).samples(asked.split)), asked.frames)
    print(f"{'mode':8} {'crops':>5} {'recall':>7} {'mean best IoU':>14} {'masks/frame':>12} {'s/frame':>8}")
    for mode, layers in product(asked.modes.split(","), asked.crop_layers.split(",")):
        settings = load_settings({"automatic": mode, "crop_layers": layers})
        found = measure(wiring.load_segmenter(settings), samples)
        print(
            f"{mode:8} {layers:>5} {100 * found.recall:6.1f}% {found.best_iou.mean():14.4f} "
            f"{found.n_masks:12.1f} {found.seconds:8.2f}  "
            f"(n {len(found.best_iou)} boxes, {len(samples)} frames)",
            flush=True,
        )


if __name__ == "__main__":
    main()
