"""Says what the demo does with a dataset: the images to ingest, the held-out photo and object to ask about.

Prints five lines: the split to ingest, how many of its images, the photo, the object's box, its class.

    python scripts/demo_plan.py DATASET
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from samdb.core.boxes import Box, clip_box
from samdb.core.sample import Label, Sample
from samdb.datasets import image_size, open_dataset
from samdb.errors import DatasetError, SamdbError

#: enough for a bank worth looking at, few enough for a laptop's patience
MAX_IMAGES = 200
#: held-out photos among which the demo's one is chosen
MAX_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """Images to ingest (the first `limit` of `split`), and the object of a held-out photo to search for."""

    split: str
    limit: int
    photo: Path
    box_xyxy: Box
    class_name: str


def main() -> int:
    """Print the plan, one value per line."""
    parser = argparse.ArgumentParser(description="Choose what the demo ingests and what it asks.")
    parser.add_argument("dataset", type=Path, help="a labelled BDD100K or COCO folder")
    try:
        plan = make_plan(parser.parse_args().dataset)
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    print(plan.split, plan.limit, plan.photo, ",".join(f"{v:.1f}" for v in plan.box_xyxy), sep="\n")
    print(plan.class_name)
    return 0


def make_plan(path: Path) -> DemoPlan:
    """Ingest `train` and ask about `val`; with one split only, hold out its last images.

    Raises DatasetError when there are not enough labelled images.
    """
    dataset = open_dataset(path)
    labelled = Counter[str]()
    for row in dataset.summary():
        if row.n_labelled:
            labelled[row.split] += row.n_images
    if "train" in labelled and "val" in labelled:
        split, limit = "train", min(MAX_IMAGES, labelled["train"])
        candidates = islice(dataset.samples("val"), MAX_CANDIDATES)
    elif labelled and labelled.most_common(1)[0][1] >= 2:
        split, n_images = labelled.most_common(1)[0]
        limit = min(MAX_IMAGES, n_images - max(1, n_images // 10))
        candidates = islice(dataset.samples(split), limit, limit + MAX_CANDIDATES)
    else:
        raise DatasetError(f"{path} has too few labelled images for the demo: give a BDD100K or COCO folder")
    seen = Counter(
        label.class_name for sample in islice(dataset.samples(split), limit) for label in _usable(sample)
    )
    ranked = [(_merit(s, label, seen), s, label) for s in candidates for label in _usable(s)]
    if not ranked:
        raise DatasetError(f"{path}: none of the held-out images has a label; give a BDD100K or COCO folder")
    _, sample, label = max(ranked, key=lambda entry: entry[0])
    return DemoPlan(split, limit, sample.path, _box(label), label.class_name)


def _usable(sample: Sample) -> Iterable[Label]:
    return [label for label in sample.labels if not label.ignore]


def _merit(sample: Sample, label: Label, seen: Counter[str]) -> float:
    """How good an example the object is: known, whole, of some size, in a photo with much to classify."""
    height, width = image_size(sample.path)
    box = clip_box(_box(label), (height, width))
    if box is None:
        return 0.0
    x0, y0, x1, y1 = box
    share = (x1 - x0) * (y1 - y0) / (height * width)
    size = min(share, 0.03) / 0.03 if share < 0.3 else 0.2
    whole = 0.5 if x0 > 2 and y0 > 2 and x1 < width - 2 and y1 < height - 2 else 0.0
    company = sum(seen[other.class_name] > 2 for other in _usable(sample))
    return size + whole + min(seen[label.class_name], 10) / 10 + min(company, 20) / 20


def _box(label: Label) -> Box:
    if label.box_xyxy is not None:
        return label.box_xyxy
    assert label.mask is not None  # a label has one of them
    return label.mask.box_xyxy


if __name__ == "__main__":
    raise SystemExit(main())
