"""A large store of a few real segments: each a real one, moved a little."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from samdb.api import DEFAULT_RECIPE, connect
from samdb.core.ids import image_point_id, make_id
from samdb.core.points import Point
from samdb.core.vectors import normalise
from samdb.errors import InputError
from samdb.stores.layout import GLOBAL_VECTOR, IMAGES, SEGMENTS
from scripts.benchmark.material import choose_material

#: length of the random step from a real segment's unit vector: a cosine of about .9 to it
_STEP = 0.5
_BATCH = 1000
_IMAGES = 40


@dataclass(frozen=True, slots=True)
class Source:
    """Real images with their segments, by the key of the image; and what they are called."""

    images: Mapping[str, Point]
    segments: Mapping[str, Sequence[Point]]
    shown: str


def read_source(store: Path | None, data: Path | None, folder: Path) -> Source:
    """The segments of a store, or of some images of a dataset, ingested into `folder`.

    Raises InputError when there is none with an embedding.
    """
    shown = str(store or data or "the demo's photographs")
    if store is None:
        material = choose_material(data, _IMAGES)
        store = folder / "source"
        print(f"ingesting {material.shown}", file=sys.stderr, flush=True)
        with connect(str(store)) as db:
            db.ingest(material.data, split=material.split, limit=_IMAGES)
    with connect(str(store)) as db:
        images = {p.id: p for p in db.store.scroll(IMAGES, (), (GLOBAL_VECTOR,))}
        segments: dict[str, list[Point]] = defaultdict(list)
        for point in db.store.scroll(SEGMENTS, (), (DEFAULT_RECIPE,)):
            key = image_point_id(str(point.payload["dataset"]), str(point.payload["image_id"]))
            if DEFAULT_RECIPE in point.vectors and key in images:
                segments[key].append(point)
    n = sum(map(len, segments.values()))
    if not n:
        raise InputError(f"{store} has no segments with a {DEFAULT_RECIPE!r} embedding: ingest some")
    return Source(images, segments, f"{shown}: {n:,} segments of {len(segments):,} images")


def make_large(source: Source, path: Path, n_segments: int, seed: int = 0) -> None:
    """Write a store of `n_segments`, index it, and close it."""
    with connect(str(path)) as db:
        db.prepare()
        varied = islice(_varied(source, np.random.default_rng(seed)), n_segments)
        while batch := list(islice(varied, _BATCH)):
            images = {image.id: image for image, _ in batch}
            db.store.upsert(IMAGES, list(images.values()))
            db.store.upsert(SEGMENTS, [segment for _, segment in batch])
        for name in (IMAGES, SEGMENTS):
            db.store.optimize(name)
            db.store.flush(name)


def _varied(source: Source, rng: np.random.Generator) -> Iterator[tuple[Point, Point]]:
    """Images and segments without end: the real ones over and over, under other names."""
    number = 0
    while True:
        for key, segments in source.segments.items():
            image = source.images[key]
            dataset, image_id = str(image.payload["dataset"]), f"{number:07}/{image.payload['image_id']}"
            copied = Point(
                image_point_id(dataset, image_id), image.vectors, {**image.payload, "image_id": image_id}
            )
            for segment in segments:
                vector = segment.vectors[DEFAULT_RECIPE]
                step = rng.normal(size=len(vector)) * (_STEP / np.sqrt(len(vector)))
                yield (
                    copied,
                    Point(
                        make_id("varied", str(number), segment.id),
                        {DEFAULT_RECIPE: normalise(vector + step)},
                        {**segment.payload, "image_id": image_id},
                    ),
                )
            number += 1
