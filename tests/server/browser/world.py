"""A store worth scrolling: the drawn images many times, each disc with a part and that with a subpart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

import samdb
from samdb.core.ids import image_point_id, make_id
from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.segment import Segment
from samdb.core.vectors import Vector
from samdb.stores.codec import point_to_segment, segment_to_point
from samdb.stores.layout import GLOBAL_VECTOR, IMAGES, SEGMENTS

#: how many times every image is stored; with 6 images more than a page of Browse, with 3 shapes in each
#: more than a page of results
TIMES = 11
RECIPE = "blend"


def build_world(store: Path) -> None:
    """Multiply what a store of the drawn dataset holds; every other copy of the images is of the night."""
    rng = np.random.default_rng(0)
    with samdb.connect(str(store)) as db:
        drawn = [point_to_segment(p) for p in db.store.scroll(SEGMENTS, with_vectors=(RECIPE,))]
        images = list(db.store.scroll(IMAGES, with_vectors=(GLOBAL_VECTOR,)))
        segments: list[Segment] = []
        ledger: list[Point] = []
        for time in range(TIMES):
            copied = [_copy(s, time, rng) for s in drawn]
            parts = [p for s in copied if s.class_name == "disc" for p in _parts(s, rng)]
            segments += [*copied, *parts]
            ledger += [_image(point, time, [*copied, *parts]) for point in images]
        db.store.upsert(SEGMENTS, [segment_to_point(s) for s in segments])
        db.store.upsert(IMAGES, ledger)


def _name(image_id: str, time: int) -> str:
    return image_id if time == 0 else f"copy{time:02}/{image_id}"


def _copy(segment: Segment, time: int, rng: np.random.Generator) -> Segment:
    image_id = _name(segment.image_id, time)
    segment_id = segment.segment_id if time == 0 else make_id("copy", segment.segment_id, str(time))
    return replace(
        segment,
        segment_id=segment_id,
        image_id=image_id,
        embeddings=_near(segment.embeddings, rng) if time else segment.embeddings,
        attributes={"timeofday": "night" if time % 2 else "daytime"},
    )


def _parts(segment: Segment, rng: np.random.Generator) -> list[Segment]:
    """The left half of a disc, and of that the upper half."""
    found = []
    pixels, parent = segment.mask.decode(), segment.segment_id
    x0, y0, x1, y1 = (round(v) for v in segment.box_xyxy)
    for granularity, cut in (("part", np.s_[:, (x0 + x1) // 2 :]), ("subpart", np.s_[(y0 + y1) // 2 :, :])):
        pixels = pixels.copy()
        pixels[cut] = False
        mask = Rle.encode(pixels)
        part = replace(
            segment,
            segment_id=make_id(granularity, segment.segment_id),
            mask=mask,
            box_xyxy=mask.box_xyxy,
            area_px=mask.area_px,
            granularity="part" if granularity == "part" else "subpart",
            parent_id=parent,
            label_source="inherited",
            embeddings=_near(segment.embeddings, rng),
        )
        found.append(part)
        parent = part.segment_id
    return found


def _near(embeddings: Mapping[str, Vector], rng: np.random.Generator) -> dict[str, Vector]:
    moved = {k: v + rng.normal(scale=0.01, size=v.shape).astype(np.float32) for k, v in embeddings.items()}
    return {k: np.asarray(v / np.linalg.norm(v), dtype=np.float32) for k, v in moved.items()}


def _image(point: Point, time: int, segments: list[Segment]) -> Point:
    image_id = _name(str(point.payload["image_id"]), time)
    n_segments = sum(s.image_id == image_id for s in segments)
    payload = {**point.payload, "image_id": image_id, "n_segments": n_segments}
    return Point(image_point_id(str(point.payload["dataset"]), image_id), point.vectors, payload)
