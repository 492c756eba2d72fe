"""A hand-made store to evaluate on: three classes on three axes, background on a fourth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.ids import make_id
from samdb.core.masks import Rle
from samdb.core.segment import FLAG_BACKGROUND, FLAG_FOUND, Segment
from samdb.core.vectors import Vector, normalise
from samdb.ports import VectorStore
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out

CLASSES = ("car", "bus", "sign")
N_TRAIN, N_VAL = 20, 8
#: an object's box is the cell of its class: 40 x 40 px, beside each other
SIDE = 40
DIM = 6


def box_of(cell: int) -> Box:
    """The box of a cell of an image."""
    return (cell * 50.0, 0.0, cell * 50.0 + SIDE, float(SIDE))


def segment(
    name: str,
    vector: Vector,
    box: Box,
    *,
    class_name: str | None = None,
    image: str,
    split: str,
    automatic: bool = False,
    flags: tuple[str, ...] = (),
) -> Segment:
    """A stored segment that fills its box; `neck_box` is the same vector as `neck`."""
    x0, y0, x1, y1 = box
    mask = Rle.from_polygons([[x0, y0, x1, y0, x1, y1, x0, y1]], (60, 300))
    return Segment(
        segment_id=make_id("eval", name),
        dataset="d",
        split=split,
        image_id=image,
        mask=mask,
        box_xyxy=box,
        area_px=mask.area_px,
        granularity="whole",
        prompt_kind="grid" if automatic else "box",
        predicted_iou=0.9,
        stability_score=0.9,
        model="vit_t",
        run="r",
        embeddings={"neck": vector, "neck_box": vector},
        class_name=class_name,
        label_source="box" if class_name else "none",
        label_box_xyxy=box if class_name else None,
        attributes={"timeofday": "night" if name.endswith("0") else "dawn/dusk"},
        flags=flags,
    )


def images(split: str, n: int, *, automatic: bool, spread: float = 0.05) -> list[Segment]:
    """`n` images with one object per class and, with `automatic`, a piece of background; of the objects the
    car was found again by the automatic search, the bus was not, the sign was found as another mask."""
    rng = np.random.default_rng([len(split), n])
    found: list[Segment] = []
    for i in range(n):
        image = f"{split}/{i}.jpg"
        for cell, class_name in enumerate(CLASSES):
            flags = (FLAG_FOUND,) if automatic and class_name == "car" else ()
            name = f"{image}/{class_name}/{i}"
            row = _near(rng, cell, spread)
            found.append(
                segment(name, row, box_of(cell), class_name=class_name, image=image, split=split, flags=flags)
            )
        if automatic:
            x0, y0, x1, y1 = box_of(2)
            for name, axis, box, flags in (
                ("sign", 2, (x0, y0, x1 - 2, y1), ()),
                ("ground", 3, box_of(4), (FLAG_BACKGROUND,)),
            ):
                row = _near(rng, axis, spread)
                found.append(
                    segment(
                        f"{image}/auto/{name}",
                        row,
                        box,
                        image=image,
                        split=split,
                        automatic=True,
                        flags=flags,
                    )
                )
    return found


def world(*, automatic: bool = True, splits: tuple[str, str] = ("train", "val")) -> VectorStore:
    """A store in memory of both splits."""
    store = MemoryStore()
    lay_out(store, {"neck": DIM, "neck_box": DIM, "token": DIM, "proj": 128})
    segments = images("train", N_TRAIN, automatic=automatic) + images("val", N_VAL, automatic=automatic)
    names = dict(zip(("train", "val"), splits, strict=True))
    points = [segment_to_point(s) for s in segments]
    for point in points:
        assert isinstance(point.payload, dict)
        point.payload["split"] = names[str(point.payload["split"])]
    store.upsert(SEGMENTS, points)
    return store


def _near(rng: np.random.Generator, axis: int, spread: float) -> Vector:
    row: NDArray[np.float64] = np.eye(DIM)[axis] + spread * rng.normal(size=DIM)
    return normalise(row)
