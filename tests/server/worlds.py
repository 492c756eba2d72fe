"""A small store that needs no model: three images of noise, each with one segment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samdb.api import Database
from samdb.config import load_settings
from samdb.core.ids import image_point_id
from samdb.core.points import Point
from samdb.core.segment import Segment
from samdb.core.vectors import normalise
from samdb.pipelines.ledger import file_sha256
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import IMAGES, SEGMENTS
from tests.pipelines.ingest_worlds import filled, noise, write_image

N = 3
DIM = 576
SIZE_HW = (32, 48)


def image_id(number: int) -> str:
    """An image of the world."""
    return f"{number:02}.png"


KEY = image_point_id("world", image_id(0))


def remember(root: Path, number: int) -> tuple[str, Path]:
    """The key and the file of an image."""
    return image_point_id("world", image_id(number)), root / "images" / image_id(number)


def segment_id(number: int) -> str:
    """The segment of an image."""
    return image_point_id("segment of", image_id(number))


def small_world(root: Path) -> Path:
    """Write the images and the store below a folder, which is given back."""
    with Database(load_settings({"store": str(root / "store"), "model": "vit_t"})) as db:
        db.prepare()
        for number in range(N):
            key, path = remember(root, number)
            write_image(path, noise(number, SIZE_HW))
            mask = filled((4, 4, 20 + number, 24), SIZE_HW)
            vector = normalise(np.random.default_rng(number).normal(size=DIM))
            segment = Segment(
                segment_id=segment_id(number),
                dataset="world",
                split="train",
                image_id=image_id(number),
                mask=mask,
                box_xyxy=mask.box_xyxy,
                area_px=mask.area_px,
                granularity="whole",
                prompt_kind="box",
                predicted_iou=0.9,
                stability_score=0.95,
                model="vit_t",
                run="run",
                embeddings={"blend": vector},
                class_name="car",
                label_source="box",
                attributes={"timeofday": "night"},
            )
            db.store.upsert(SEGMENTS, [segment_to_point(segment)])
            payload: dict[str, str | int | list[int] | list[str]] = {
                "dataset": "world",
                "split": "train",
                "image_id": image_id(number),
                "path": str(path),
                "sha256": file_sha256(path),
                "fingerprint": "f",
                "status": "done",
                "n_segments": 1,
                "problems": [],
                "size_hw": list(SIZE_HW),
            }
            db.store.upsert(IMAGES, [Point(key, {}, payload)])
    return root
