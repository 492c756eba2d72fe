"""A store to export from, with its images: masks with holes and pieces, parts, labels, two datasets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samdb.core.boxes import Box
from samdb.core.ids import image_point_id, make_id
from samdb.core.masks import Rle
from samdb.core.points import PayloadValue, Point, Where
from samdb.core.sample import Attribute, Sample
from samdb.core.segment import FLAG_BACKGROUND, Granularity, LabelSource, Segment
from samdb.core.vectors import normalise
from samdb.datasets import open_dataset
from samdb.pipelines.bank_versions import show_bank
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.export import ExportFormat, ExportReport, ExportRequest, ImagesMode, export
from samdb.pipelines.export_source import ExportSource, ExportWhat
from samdb.ports import VectorStore
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out

SIZE_HW = (120, 160)
DIM = 8
AXES = {"car": 0, "person": 1, "zebra & <co>": 2, None: 3}
#: (dataset, split, image id); two have the same file name
PICTURES = (
    ("alpha", "train", "images/train/one.png"),
    ("alpha", "train", "images/train/two words.png"),
    ("alpha", "val", "images/val/one.png"),
    ("beta", "", "überall.png"),
)


@dataclass(frozen=True, slots=True)
class World:
    """A store, the folder of its images, and its segments by image id."""

    store: VectorStore
    folder: Path
    segments: dict[str, list[Segment]]

    def export(
        self,
        format: ExportFormat,
        out: Path,
        what: ExportWhat = "segments",
        *,
        where: Where = (),
        images: ImagesMode = "link",
        force: bool = False,
    ) -> ExportReport:
        """Export with the bank `default`; Parquet takes both recipes along."""
        card = show_bank(self.store, "default") if what == "predictions" else None
        recipes = ("neck", "token") if format == "parquet" else ()
        request = ExportRequest(
            format, ExportSource(what, where, card, recipes), images, dict.fromkeys(recipes, DIM), force
        )
        return export(self.store, request, out)

    def of(self, what: ExportWhat, image_id: str) -> list[Segment]:
        """What must be exported of an image, the largest first; predictions are right here."""
        found = self.segments[image_id]
        if what == "labels":
            found = [s for s in found if s.label_source in ("box", "mask")]
            found = [replace(s, box_xyxy=s.label_box_xyxy or s.box_xyxy) for s in found]
        if what == "predictions":
            # a part is answered for by its whole, and what is no class is none here
            found = [s for s in found if s.granularity == "whole" and s.class_name]
        return sorted(found, key=lambda s: (-s.area_px, s.segment_id))


def make_world(folder: Path) -> World:
    """Write the images and fill a store in memory."""
    store = MemoryStore()
    lay_out(store, {"neck": DIM, "token": DIM})
    segments: dict[str, list[Segment]] = {}
    for number, (dataset, split, image_id) in enumerate(PICTURES):
        path = folder / dataset / image_id
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*SIZE_HW, 3), 90 + number, dtype=np.uint8)).save(path)
        payload: dict[str, PayloadValue] = {
            "dataset": dataset,
            "split": split,
            "image_id": image_id,
            "path": str(path),
            "status": "done",
            "size_hw": list(SIZE_HW),
        }
        store.upsert(IMAGES, [Point(image_point_id(dataset, image_id), {}, payload)])
        segments[image_id] = _segments(number, dataset, split, image_id)
        store.upsert(SEGMENTS, [segment_to_point(s) for s in segments[image_id]])
    build_bank(store, recipe="neck", name="default", k=3, fingerprint="")
    return World(store, folder, segments)


def read_back(out: Path, format: str = "auto") -> dict[str, Sample]:
    """What samdb's own reader finds in an export, by the name of the file that each image links to."""
    dataset = open_dataset(out, format)
    assert not dataset.problems()
    return {_origin(sample): sample for sample in dataset.samples()}


def _origin(sample: Sample) -> str:
    """The id of the image that a link in an export leads to."""
    real = sample.path.resolve()
    return next(
        i for dataset, _, i in PICTURES if real.parts[-len(Path(i).parts) - 1 :] == (dataset, *Path(i).parts)
    )


def _segments(number: int, dataset: str, split: str, image_id: str) -> list[Segment]:
    """A car with a hole and in two pieces, labelled; its part; a person in a box; something unknown."""
    rng = np.random.default_rng(number)
    shift = 4 * number
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    car = ((x - 60 - shift) ** 2 / 45**2 + (y - 60) ** 2 / 30**2 < 1) & (
        (x - 60 - shift) ** 2 + (y - 60) ** 2 > 90
    )
    car |= (abs(x - 130) < 9) & (abs(y - 95) < 12)
    part = (abs(x - 35 - shift) < 6) & (abs(y - 60) < 8)
    person = (abs(x - 140) < 7 + number) & (abs(y - 35) < 20) & (x + y < 190)
    ground = (y > 110) & (x < 100)
    frame: dict[str, Attribute] = {"timeofday": "night", "weather": "clear"}
    whole = _segment(rng, image_id, "car", car, dataset, split, "car", "mask", {**frame, "occluded": True})
    box = person.nonzero()
    left, top, right, bottom = (float(v) for v in (box[1].min(), box[0].min(), box[1].max(), box[0].max()))
    label_box = (left - 1.5, top - 1.0, right + 2.25, bottom + 1.0)
    name = "person" if number % 2 else "zebra & <co>"
    return [
        whole,
        _segment(
            rng, image_id, "part", part, dataset, split, "car", "inherited", frame, "part", whole.segment_id
        ),
        replace(
            _segment(rng, image_id, "person", person, dataset, split, name, "box", frame),
            label_box_xyxy=label_box,
        ),
        replace(
            _segment(rng, image_id, "ground", ground, dataset, split, None, "none", frame),
            prompt_kind="grid",
            flags=(FLAG_BACKGROUND,),
        ),
    ]


def _segment(
    rng: np.random.Generator,
    image_id: str,
    key: str,
    pixels: NDArray[np.bool_],
    dataset: str,
    split: str,
    class_name: str | None,
    label_source: LabelSource,
    attributes: dict[str, Attribute],
    granularity: Granularity = "whole",
    parent_id: str | None = None,
) -> Segment:
    mask = Rle.encode(pixels)
    box: Box = mask.box_xyxy
    vector = normalise(np.eye(DIM)[AXES[class_name]] + 0.05 * rng.normal(size=DIM))
    return Segment(
        segment_id=make_id("export", dataset, image_id, key),
        dataset=dataset,
        split=split,
        image_id=image_id,
        mask=mask,
        box_xyxy=box,
        area_px=mask.area_px,
        granularity=granularity,
        prompt_kind="box",
        predicted_iou=0.9,
        stability_score=0.95,
        model="vit_t",
        run="r",
        embeddings={"neck": vector, "token": vector},
        class_name=class_name,
        source_category=class_name,
        label_source=label_source,
        label_id=key if class_name else None,
        parent_id=parent_id,
        attributes=attributes,
    )
