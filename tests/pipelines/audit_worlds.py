"""Stores with images and labelled segments to audit and to probe, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from samdb.core.ids import image_point_id
from samdb.core.points import Point
from samdb.core.sample import Attribute
from samdb.core.segment import Segment
from samdb.core.vectors import Vector, normalise
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import GLOBAL_DIM, GLOBAL_VECTOR, IMAGES, SEGMENTS
from samdb.stores.memory import MemoryStore
from samdb.stores.migrate import migrate
from tests.pipelines.bank_worlds import LAYOUT, SIZE_HW, rows_around, stored


@dataclass(frozen=True, slots=True)
class Photo:
    """An ingested image: its global vector, the hash of its file, split and frame attributes."""

    name: str
    vector: Vector
    sha256: str
    split: str = "train"
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


def scene(seed: int, axis: int = 0) -> Vector:
    """A global vector near an axis, another one for each seed."""
    rng = np.random.default_rng([seed, axis])
    return normalise(3 * np.eye(GLOBAL_DIM)[axis] + 0.2 * rng.normal(size=GLOBAL_DIM))


def photos(n: int = 24) -> list[Photo]:
    """Images that differ: the first half by day, near axis 0, the second by night, near axis 1."""
    return [
        Photo(
            f"{i:02}.png",
            scene(i, axis=int(i >= n // 2)),
            sha256=f"{i:064}",
            attributes={"timeofday": "night" if i >= n // 2 else "daytime"},
        )
        for i in range(n)
    ]


def two_classes(images: Sequence[Photo], spread: float = 0.1) -> list[Segment]:
    """A car (near axis 0) and a bus (near axis 1) in each image, and a part of the car (axis 0 and 3)."""
    n = len(images)
    segments = []
    for axis, name in enumerate(("car", "bus")):
        for image, row in zip(images, rows_around(axis, n, spread), strict=True):
            box = (20 * axis, 0, 20 * axis + 15, 15)
            whole = stored(f"{image.name}/{name}", row, name, image=image.name, split=image.split, box=box)
            segments.append(replace(whole, attributes=dict(image.attributes)))
            if name == "car":
                part = stored(
                    f"{image.name}/wheel",
                    normalise(row + 0.5 * np.eye(4)[3]),
                    name,
                    image=image.name,
                    granularity="part",
                    label_source="inherited",
                )
                segments.append(replace(part, parent_id=whole.segment_id))
    return segments


def audit_store(
    images: Sequence[Photo], segments: Sequence[Segment], folder: Path | None = None
) -> MemoryStore:
    """A store that holds them; with a folder the images are files there, of one colour each."""
    store = MemoryStore()
    migrate(store, LAYOUT)
    points = []
    for i, photo in enumerate(images):
        path = (folder or Path("/nowhere")) / photo.name
        if folder is not None:
            Image.fromarray(np.full((*SIZE_HW, 3), 40 + 5 * i, dtype=np.uint8)).save(path)
        payload = {
            "dataset": "d",
            "split": photo.split,
            "image_id": photo.name,
            "path": str(path),
            "sha256": photo.sha256,
            "status": "done",
        }
        points.append(Point(image_point_id("d", photo.name), {GLOBAL_VECTOR: photo.vector}, payload))
    store.upsert(IMAGES, points)
    store.upsert(SEGMENTS, [segment_to_point(s) for s in segments])
    return store
