"""Exports as the formats' own tools and conventions read them: the same boxes and masks."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pyarrow import parquet
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from samdb.core.masks import Rle, mask_iou
from samdb.core.segment import Segment
from samdb.core.where import parse_where
from samdb.datasets.images import image_size
from samdb.errors import ConfigError
from samdb.pipelines.export_source import ExportWhat
from samdb.reports.export_fiftyone import fiftyone_sample
from samdb.reports.export_record import ExportImage, ExportObject
from tests.pipelines.export_worlds import DIM, PICTURES, SIZE_HW, World, make_world, read_back


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The store: read it, do not change it."""
    return make_world(tmp_path_factory.mktemp("world"))


def by_id(world: World, what: ExportWhat) -> dict[str, Segment]:
    """What must be exported, by segment id."""
    return {s.segment_id: s for _, _, i in PICTURES for s in world.of(what, i)}


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
def test_pycocotools_reads_coco(world: World, tmp_path: Path, what: ExportWhat) -> None:
    world.export("coco", tmp_path / "out", what)
    wanted, seen = by_id(world, what), set()
    for path in (tmp_path / "out/annotations").iterdir():
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(path))
        for annotation in coco.loadAnns(coco.getAnnIds()):
            segment = wanted[annotation["segment_id"]]
            seen.add(segment.segment_id)
            assert np.array_equal(coco.annToMask(annotation), segment.mask.decode())
            x, y, w, h = annotation["bbox"]
            assert (x, y, x + w, y + h) == pytest.approx(segment.box_xyxy)
            assert annotation["area"] == segment.area_px
            assert annotation["parent"] == segment.parent_id
            (category,) = coco.loadCats(annotation["category_id"])
            assert category["name"] == (segment.class_name or "no class")
            (image,) = coco.loadImgs(annotation["image_id"])
            file = tmp_path / "out/images" / path.stem.removeprefix("instances_") / image["file_name"]
            assert image_size(file) == (image["height"], image["width"]) == SIZE_HW
    assert seen == wanted.keys()


#: keys and types of a frame and a label. Source: scalabel, label/typing.py
NULL = type(None)
FRAME = {"name": str, "url": NULL, "attributes": dict, "size": dict, "labels": list}
LABEL = {
    "id": str,
    "category": str,
    "attributes": dict,
    "box2d": dict,
    "rle": dict,
    "score": float,
} | dict.fromkeys(("box3d", "poly2d", "graph"), NULL)


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
def test_frames_are_of_scalabels_form(world: World, tmp_path: Path, what: ExportWhat) -> None:
    world.export("bdd100k", tmp_path / "out", what)
    names = {"person": "pedestrian", None: "no class"}
    found = 0
    for path in (tmp_path / "out/labels/det_20").iterdir():
        for frame in json.loads(path.read_text()):
            assert all(type(value) is FRAME[key] for key, value in frame.items())
            assert frame["size"] == {"width": 160, "height": 120}
            split = path.stem.removeprefix("det_")
            real = (tmp_path / "out/images/100k" / split / frame["name"]).resolve()
            image_id = next(i for d, _, i in PICTURES if real == (world.folder / d / i).resolve())
            wanted = world.of(what, image_id)
            assert len(frame["labels"]) == len(wanted)
            for label, segment in zip(frame["labels"], wanted, strict=True):
                found += 1
                assert all(type(value) is LABEL[key] for key, value in label.items())
                assert ("score" in label) == (what == "predictions")
                assert all(isinstance(v, (str, bool, int, float)) for v in label["attributes"].values())
                assert label["category"] == names.get(segment.class_name, segment.class_name)
                # `box2d_to_xyxy` and `rle_to_mask` of scalabel, label/transforms.py
                box = [float(label["box2d"][key]) for key in ("x1", "y1", "x2", "y2")]
                assert (box[0], box[1], box[2] + 1, box[3] + 1) == pytest.approx(segment.box_xyxy)
                assert np.array_equal(coco_mask.decode(label["rle"]), segment.mask.decode())
                assert label["id"] == (segment.label_id if what == "labels" else segment.segment_id)
    assert found == len(by_id(world, what))


def filled(points: NDArray[np.float64], size_hw: tuple[int, int]) -> Rle:
    """A polygon filled by a painter that, like OpenCV's, also paints the line."""
    canvas = Image.new("1", (size_hw[1], size_hw[0]))
    ImageDraw.Draw(canvas).polygon([tuple(p) for p in points], fill=1)
    return Rle.encode(np.asarray(canvas))


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
def test_yolo_keeps_the_conventions_of_ultralytics(world: World, tmp_path: Path, what: ExportWhat) -> None:
    out = tmp_path / "out"
    report = world.export("yolo", out, what)
    content = yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))
    assert content.keys() == {"train", "val", "names"}  # without `path`, paths start from the file's folder
    found = 0
    for entries in (content["train"], content["val"]):
        for image in sorted(p for entry in entries for p in (out / entry).iterdir()):
            # `img2label_paths`: the last `images` in the path becomes `labels`
            folder, name = str(image).rsplit("/images/", 1)
            rows = Path(folder, "labels", name).with_suffix(".txt").read_text().splitlines()
            wanted = world.of(
                what, next(i for d, _, i in PICTURES if image.resolve() == (world.folder / d / i).resolve())
            )
            for row, segment in zip(rows, wanted, strict=True):
                found += 1
                values = row.split()
                assert content["names"][int(values[0])] == (segment.class_name or "no class")
                # `verify_image_label`: pairs, three or more, each within 0 and 1
                points = np.array(values[1:], dtype=np.float64).reshape(-1, 2)
                assert len(points) >= 3
                assert points.min() >= 0
                assert points.max() <= 1
                points *= (160, 120)
                # `segments2boxes`
                box = (*points.min(axis=0), *points.max(axis=0))
                assert box == pytest.approx(segment.mask.box_xyxy, abs=1e-3)
                assert mask_iou([filled(points, SIZE_HW)], [segment.mask])[0, 0] > 0.8
    assert found == report.n_objects == len(by_id(world, what))
    assert "counts as train" in report.notes[0]


def test_yolo_says_when_a_split_that_its_trainer_wants_is_not_there(world: World, tmp_path: Path) -> None:
    report = world.export("yolo", tmp_path / "out", where=parse_where(["split=train"]))
    content = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert content["train"] == content["val"] == ["images/train"]
    assert report.notes == (
        "data.yaml: there is no split 'val', it names other images: set it before training",
    )


def read_voc(
    root: Path, stem: str
) -> tuple[list[tuple[str, tuple[int, ...]]], NDArray[np.uint8], NDArray[np.uint8]]:
    """Objects (name, corners) and the two pictures, as torchvision's VOC datasets read them."""
    tree = ElementTree.parse(root / "Annotations" / f"{stem}.xml").getroot()
    objects = []
    for entry in tree.iter("object"):
        corners = entry.find("bndbox")
        assert corners is not None
        numbers = tuple(int(corners.findtext(key, "")) for key in ("xmin", "ymin", "xmax", "ymax"))
        objects.append((entry.findtext("name", ""), numbers))
    pictures = [
        np.array(Image.open(root / f / f"{stem}.png")) for f in ("SegmentationObject", "SegmentationClass")
    ]
    return objects, pictures[0], pictures[1]


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
def test_voc_has_boxes_that_count_from_one_and_pictures_of_its_palette(
    world: World, tmp_path: Path, what: ExportWhat
) -> None:
    out = tmp_path / "out"
    report = world.export("voc", out, what)
    names = [line.split(":")[0] for line in (out / "labelmap.txt").read_text().splitlines()]
    listed = list((out / "ImageSets/Main").iterdir())
    stems = {stem for path in listed for stem in path.read_text(encoding="utf-8").split("\n") if stem}
    assert stems == {p.stem for p in (out / "JPEGImages").iterdir()}
    for path in (out / "JPEGImages").iterdir():
        image_id = next(i for d, _, i in PICTURES if path.resolve() == (world.folder / d / i).resolve())
        wanted = world.of(what, image_id)
        objects, instances, classes = read_voc(out, path.stem)
        assert [name for name, _ in objects] == [s.class_name or "no class" for s in wanted]
        for number, ((name, corners), segment) in enumerate(zip(objects, wanted, strict=True), 1):
            box = (corners[0] - 1, corners[1] - 1, corners[2], corners[3])
            assert np.abs(np.subtract(box, np.clip(segment.box_xyxy, 0, (160, 120, 160, 120)))).max() <= 1
            if segment.parent_id is not None:
                assert number not in instances
                continue
            assert np.array_equal(instances == number, segment.mask.decode())
            assert {names[v] for v in np.unique(classes[instances == number])} == {name}
    palette = Image.open(out / "SegmentationObject" / f"{path.stem}.png").getpalette()
    # the first colours of the VOC2012 development kit
    assert palette is not None
    assert palette[:18] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128, 128, 0, 128]
    parts = [x.count for x in report.left_out if x.reason.startswith("masks of parts")]
    assert parts == ([4] if what == "segments" else [])


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
def test_voc_is_read_back_with_attributes_and_masks(world: World, tmp_path: Path, what: ExportWhat) -> None:
    world.export("voc", tmp_path / "out", what)
    for image_id, sample in read_back(tmp_path / "out").items():
        for label, segment in zip(sample.labels, world.of(what, image_id), strict=True):
            assert label.mask == (None if segment.parent_id else segment.mask)
            assert label.attributes["segment_id"] == segment.segment_id
            assert label.attributes["timeofday"] == "night"
            assert label.attributes["occluded"] == segment.attributes.get("occluded", False)


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
def test_pyarrow_reads_parquet_with_its_vectors(
    world: World, tmp_path: Path, what: ExportWhat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samdb.reports.export_parquet._ROWS_PER_GROUP", 3)
    report = world.export("parquet", tmp_path / "all.parquet", what)
    file = parquet.ParquetFile(tmp_path / "all.parquet")
    wanted = by_id(world, what)
    assert file.metadata.num_rows == report.n_objects == len(wanted)
    assert file.metadata.num_row_groups == -(-len(wanted) // 3)
    assert file.schema_arrow.field("neck").type == pa.list_(pa.float32(), DIM)
    assert file.schema_arrow.metadata[b"samdb.what"] == what.encode()
    for row in file.read().to_pylist():
        segment = wanted[row["segment_id"]]
        assert np.array_equal(np.float32(row["neck"]), segment.embeddings["neck"])
        assert Rle((row["mask_height"], row["mask_width"]), row["mask_counts"]) == segment.mask
        assert tuple(row["box_xyxy"]) == segment.mask.box_xyxy
        assert row["label_box_xyxy"] == (list(segment.label_box_xyxy) if segment.label_box_xyxy else None)
        assert (row["class_name"], row["parent_id"]) == (segment.class_name, segment.parent_id)
        assert json.loads(row["attributes"]) == segment.attributes
        assert row["flags"] == list(segment.flags)
        assert (row["score"] is not None) == (what == "predictions")
        assert Path(row["image_path"]).is_file()


def test_a_vector_that_is_not_stored_is_null_and_said(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world")
    lacking = world.segments["überall.png"][0]
    (point,) = world.store.get("segments", [lacking.segment_id], ("neck", "token"))
    world.store.delete("segments", ids=[point.id])
    point_without = type(point)(point.id, {"neck": point.vectors["neck"]}, point.payload)
    world.store.upsert("segments", [point_without])
    report = world.export("parquet", tmp_path / "out")
    table = parquet.read_table(tmp_path / "out/segments.parquet")
    assert table["token"].null_count == 1
    assert [(x.reason, x.count) for x in report.left_out] == [("'token' vectors that are not stored", 1)]


def test_without_fiftyone_the_error_says_what_to_install(world: World, tmp_path: Path) -> None:
    if importlib.util.find_spec("fiftyone"):
        pytest.skip("FiftyOne is installed")
    with pytest.raises(ConfigError, match="pip install fiftyone"):
        world.export("fiftyone", Path("mine"))


def test_a_fiftyone_sample_has_relative_boxes_and_masks_inside_them(world: World) -> None:
    """Where FiftyOne is installed; without its database a sample can still be made."""
    fo = pytest.importorskip("fiftyone")
    dataset, split, image_id = PICTURES[0]
    segments = world.of("segments", image_id)
    image = ExportImage(1, "one.png", dataset, split, image_id, world.folder / dataset / image_id, SIZE_HW)
    objects = [ExportObject(s, s.class_name, 0.5, s.box_xyxy) for s in segments]
    sample: Mapping[str, object] = fiftyone_sample(fo, image, objects, "segments")  # type: ignore[assignment]
    for detection, segment in zip(sample["segments"].detections, segments, strict=True):  # type: ignore[attr-defined]
        x, y, w, h = detection.bounding_box
        assert (x * 160, y * 120, (x + w) * 160, (y + h) * 120) == pytest.approx(segment.mask.box_xyxy)
        assert detection.mask.sum() == segment.area_px
        assert detection.label == (segment.class_name or "no class")
