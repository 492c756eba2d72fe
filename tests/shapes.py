"""A drawn dataset that MobileSAM cuts well, and a store of it: discs, squares and bars on a rough ground."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import samdb
from samdb.core.boxes import Box
from samdb.core.ids import segment_point_id
from samdb.sam.automatic import AutomaticSettings
from samdb.sam.checkpoints import checkpoint_of
from samdb.sam.device import Compute, keep_freed_memory
from samdb.sam.networks import load_networks
from samdb.sam.segmenter import SamSegmenter

CLASSES = ("disc", "square", "bar")
N_TRAIN, N_VAL = 6, 2
_HW = (180, 240)
_CELLS = ((12, 20), (88, 30), (164, 15))


@dataclass(frozen=True, slots=True)
class Shapes:
    """A COCO folder with `images/train`, `images/val` and boxes; and a store of `train` with a bank."""

    folder: Path
    store: Path

    def photo(self, split: str, number: int) -> Path:
        """One of its images."""
        return self.folder / "images" / split / f"{number:02}.png"

    def stored_id(self, class_name: str, number: int) -> str:
        """The id of the stored segment that is a shape of an image of `train`."""
        label = str(10 * number + CLASSES.index(class_name))
        return segment_point_id("shapes", f"images/train/{number:02}.png", f"label:{label}", "0", "vit_t")


def boxes_of(number: int) -> dict[str, Box]:
    """Where the three shapes of an image are."""
    return {name: _box(number, i) for i, name in enumerate(CLASSES)}


def draw(number: int) -> NDArray[np.uint8]:
    """The image (180, 240, 3): a red disc, a green square, a blue bar, each a little different each time."""
    rng = np.random.default_rng(number)
    image = np.full((*_HW, 3), 110.0)
    y, x = np.mgrid[: _HW[0], : _HW[1]]
    for i, (name, (x0, y0, x1, y1)) in enumerate(boxes_of(number).items()):
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        if name == "disc":
            radius = (x1 - x0) / 2
            inside = (x + 0.5 - (x0 + x1) / 2) ** 2 + (y + 0.5 - (y0 + y1) / 2) ** 2 < radius**2
        colour = np.full(3, 40.0)
        colour[i] = 190 + rng.integers(0, 50)
        image[inside] = colour
    image += rng.normal(scale=4, size=image.shape)
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


def write_shapes(folder: Path) -> None:
    """Write the dataset."""
    for split, numbers in (("train", range(N_TRAIN)), ("val", range(100, 100 + N_VAL))):
        (folder / "images" / split).mkdir(parents=True)
        images, annotations = [], []
        for number in numbers:
            file = f"{number:02}.png"
            Image.fromarray(draw(number)).save(folder / "images" / split / file)
            images.append({"id": number, "file_name": file})
            for i, (x0, y0, x1, y1) in enumerate(boxes_of(number).values()):
                box = [x0, y0, x1 - x0, y1 - y0]
                annotations.append(
                    {"id": 10 * number + i, "image_id": number, "category_id": i + 1, "bbox": box}
                )
        content = {
            "images": images,
            "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, 1)],
            "annotations": annotations,
        }
        path = folder / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


@functools.cache
def load_sam(checkpoint: Path) -> SamSegmenter:
    """MobileSAM with a coarse grid (36 points instead of 1024), as `samdb` itself would load it."""
    keep_freed_memory()
    networks = load_networks("vit_t", checkpoint)
    return SamSegmenter(
        networks,
        Compute("cpu", "fp32"),
        weights_sha256=checkpoint_of("vit_t").sha256,
        automatic=AutomaticSettings(points_per_side=6),
    )


@functools.cache
def ingested(base: Path, checkpoint: Path) -> Shapes:
    """The dataset and its store below `base`, made once: copy the store before changing it."""
    shapes = Shapes(base / "shapes", base / "shapes_store")
    write_shapes(shapes.folder)
    with samdb.connect(str(shapes.store), model="vit_t") as db:
        db.segmenter = load_sam(checkpoint)
        report = db.ingest(shapes.folder, split="train", prompts="labels")
        assert (report.n_ingested, report.quarantined, report.problems) == (N_TRAIN, (), ())
        db.build_bank()
    return shapes


def copy_store(source: Path, target: Path) -> None:
    """Copy an embedded store; its files are mostly holes, which stay holes."""
    for path in source.rglob("*"):
        there = target / path.relative_to(source)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as old, there.open("wb") as new:
            while block := old.read(1 << 20):
                if block.count(0) == len(block):
                    new.seek(len(block), os.SEEK_CUR)
                else:
                    new.write(block)
            new.truncate(path.stat().st_size)


def _box(number: int, i: int) -> Box:
    rng = np.random.default_rng([number, i])
    x0, y0 = _CELLS[i][0] + int(rng.integers(0, 8)), _CELLS[i][1] + int(rng.integers(0, 60))
    width = 50 + int(rng.integers(0, 10))
    height = {"disc": width, "square": width, "bar": 16 + int(rng.integers(0, 4))}[CLASSES[i]]
    return (x0, y0, x0 + width, y0 + height)
