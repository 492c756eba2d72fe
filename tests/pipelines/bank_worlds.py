"""Stores with a few hand-made segments, for the tests of the bank pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.ids import make_id
from samdb.core.masks import Rle
from samdb.core.segment import FLAG_BACKGROUND, Granularity, LabelSource, PromptKind, Segment
from samdb.core.vectors import Vector, normalise
from samdb.ports import VectorStore
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import (
    SEGMENTS,
    LayoutParams,
    bank_spec,
    images_spec,
    meta_spec,
    segments_spec,
)
from samdb.stores.memory import MemoryStore

#: a world of 4 numbers: class axes e0, e1, background along e3; `token` is a second recipe
LAYOUT = LayoutParams("vit_t", {"neck": 4, "token": 4})
SIZE_HW = (40, 60)


def lay_out(store: VectorStore, vectors: Mapping[str, int] = LAYOUT.vectors) -> VectorStore:
    """Create the collections of a samdb store, with these vectors."""
    layout = LayoutParams("vit_t", vectors)
    for spec in (segments_spec(layout), images_spec(), bank_spec(layout), meta_spec()):
        store.create_collection(spec)
    return store


def memory_store() -> MemoryStore:
    """An empty store in memory."""
    store = MemoryStore()
    lay_out(store)
    return store


def rectangle(box: tuple[int, int, int, int]) -> Rle:
    """A filled box as a mask."""
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return Rle.encode(mask)


def stored(
    name: str,
    vector: Vector,
    class_name: str | None,
    *,
    image: str = "a.jpg",
    split: str = "train",
    dataset: str = "d",
    box: tuple[int, int, int, int] = (0, 0, 10, 10),
    label_box: Box | None = None,
    granularity: Granularity = "whole",
    label_source: LabelSource | None = None,
    prompt_kind: PromptKind = "box",
    model: str = "vit_t",
    recipe: str = "neck",
    flags: tuple[str, ...] = (),
) -> Segment:
    """A segment that fills `box`; with a class it was labelled by a box unless told otherwise."""
    mask = rectangle(box)
    return Segment(
        segment_id=make_id("test", name),
        dataset=dataset,
        split=split,
        image_id=image,
        mask=mask,
        box_xyxy=mask.box_xyxy,
        area_px=mask.area_px,
        granularity=granularity,
        prompt_kind=prompt_kind,
        predicted_iou=0.9,
        stability_score=0.9,
        model=model,
        run="r",
        embeddings={recipe: vector},
        class_name=class_name,
        label_source=label_source or ("box" if class_name else "none"),
        label_box_xyxy=label_box,
        flags=flags,
    )


def put(store: VectorStore, segments: Sequence[Segment]) -> None:
    """Store segments."""
    store.upsert(SEGMENTS, [segment_to_point(s) for s in segments])


def scattered(
    axis: int, n: int, class_name: str, *, split: str = "train", spread: float = 0.2
) -> list[Segment]:
    """`n` segments of a class around an axis, one per image."""
    return [
        stored(f"{split}/{class_name}/{i}", row, class_name, image=f"{split}/{i}.jpg", split=split)
        for i, row in enumerate(rows_around(axis, n, spread))
    ]


def background(axis: int, n: int) -> list[Segment]:
    """`n` automatic segments around an axis that ingest found to be background."""
    return [
        stored(f"bg/{i}", row, None, image=f"train/{i}.jpg", prompt_kind="grid", flags=(FLAG_BACKGROUND,))
        for i, row in enumerate(rows_around(axis, n, 0.2))
    ]


def rows_around(axis: int, n: int, spread: float) -> NDArray[np.float32]:
    """`n` unit rows of 4 scattered around an axis, always the same."""
    rng = np.random.default_rng([axis, n])
    return normalise(np.eye(4)[axis] + spread * rng.normal(size=(n, 4)))
