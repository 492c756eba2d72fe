"""Exports, read back by samdb's own readers: the same boxes and masks; and where they go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

import samdb.pipelines.export as export_module
from samdb.core.masks import mask_iou
from samdb.core.where import parse_where
from samdb.datasets import open_dataset
from samdb.errors import ConfigError, InputError
from samdb.pipelines.export import ExportFormat
from samdb.pipelines.export_place import ImageNames
from samdb.pipelines.export_source import ExportWhat
from samdb.reports.export_coco import CocoWriter
from samdb.reports.export_record import NO_CLASS
from samdb.stores.layout import IMAGES, SEGMENTS
from tests.pipelines.export_worlds import PICTURES, World, make_world, read_back


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The store: read it, do not change it."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("what", ["segments", "labels", "predictions"])
@pytest.mark.parametrize(("format", "min_iou"), [("coco", 1.0), ("bdd100k", 1.0), ("yolo", 0.95)])
def test_what_samdb_reads_from_its_export_has_the_same_boxes_and_masks(
    world: World, tmp_path: Path, format: ExportFormat, what: ExportWhat, min_iou: float
) -> None:
    report = world.export(format, tmp_path / "out", what)
    samples = read_back(tmp_path / "out", format)
    assert open_dataset(tmp_path / "out").format == format
    assert samples.keys() == {i for _, _, i in PICTURES}
    total = 0
    for image_id, sample in samples.items():
        wanted = world.of(what, image_id)
        total += len(wanted)
        names = [
            {"person": "pedestrian"}.get(s.class_name or NO_CLASS, s.class_name or NO_CLASS) for s in wanted
        ]
        found = [label.class_name for label in sample.labels]
        assert found == (names if format == "bdd100k" else [s.class_name or NO_CLASS for s in wanted])
        for label, segment in zip(sample.labels, wanted, strict=True):
            assert label.mask is not None
            assert label.box_xyxy is not None
            assert mask_iou([label.mask], [segment.mask])[0, 0] >= min_iou
            # YOLO's box is that of the polygon: the mask's, not the one that the dataset gave
            box = segment.mask.box_xyxy if format == "yolo" else segment.box_xyxy
            assert np.abs(np.subtract(label.box_xyxy, box)).max() <= 1.0
    assert (report.n_objects, report.n_images, sum(report.classes.values())) == (total, 4, total)


@pytest.mark.parametrize("format", ["coco", "bdd100k"])
def test_one_json_file_holds_all_when_the_name_ends_so(
    world: World, tmp_path: Path, format: ExportFormat
) -> None:
    report = world.export(format, tmp_path / "deep/all.json", "labels")
    assert os.listdir(tmp_path / "deep") == ["all.json"]
    content = json.loads((tmp_path / "deep/all.json").read_text())
    assert len(content["images"] if format == "coco" else content) == report.n_images == 4
    # it names the images by their paths, so beside them it is a dataset
    (world.folder / "alpha" / f"{format}.json").write_bytes((tmp_path / "deep/all.json").read_bytes())
    dataset = open_dataset(world.folder / "alpha" / f"{format}.json")
    labelled = [s for s in dataset.samples() if s.labels]
    (world.folder / "alpha" / f"{format}.json").unlink()
    assert len(labelled) >= 2


def test_filters_choose_objects_and_then_only_images_that_have_some(world: World, tmp_path: Path) -> None:
    report = world.export("coco", tmp_path / "a", where=parse_where(["class_name=person"]))
    assert (report.classes, report.n_images) == ({"person": 2}, 2)
    report = world.export("coco", tmp_path / "b", where=parse_where(["split=val"]))
    assert (report.n_images, report.n_objects) == (1, 4)
    assert sorted(p.name for p in (tmp_path / "b/annotations").iterdir()) == ["instances_val.json"]
    report = world.export("coco", tmp_path / "c", where=parse_where(["dataset=beta", "granularity=part"]))
    assert (report.n_images, report.classes) == (1, {"car": 1})
    report = world.export("coco", tmp_path / "d", "predictions", where=parse_where(["class_name=car"]))
    assert report.classes == {"car": 4}


def test_predictions_have_scores_and_say_what_was_rejected(world: World, tmp_path: Path) -> None:
    report = world.export("coco", tmp_path / "out", "predictions")
    content = json.loads((tmp_path / "out/annotations/instances_train.json").read_text())
    assert all(0 < a["score"] <= 1 for a in content["annotations"])
    reasons = {x.reason: x.count for x in report.left_out}
    assert reasons["segments that another answers for, as a part or the same object"] == 4
    assert sum(reasons.values()) == 16 - report.n_objects


def test_images_are_linked_copied_or_left_out(world: World, tmp_path: Path) -> None:
    world.export("coco", tmp_path / "link")
    world.export("coco", tmp_path / "copy", images="copy")
    world.export("coco", tmp_path / "none", images="none")
    linked = sorted(p for p in (tmp_path / "link/images").rglob("*.png"))
    assert len(linked) == 4
    assert all(p.is_symlink() and p.is_file() for p in linked)
    copied = sorted((tmp_path / "copy/images").rglob("*.png"))
    assert [p.read_bytes() for p in copied] == [p.read_bytes() for p in linked]
    assert not any(p.is_symlink() for p in copied)
    assert not (tmp_path / "none/images").exists()


def test_an_image_that_is_gone_is_said_and_what_is_known_of_it_stays(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world")
    (tmp_path / "world/alpha/images/val/one.png").unlink()
    report = world.export("yolo", tmp_path / "out")
    assert [(x.count, x.example) for x in report.left_out] == [
        (1, str(tmp_path / "world/alpha/images/val/one.png"))
    ]
    assert len(list((tmp_path / "out/labels").rglob("*.txt"))) == 4


def test_an_image_that_is_not_wholly_ingested_is_left_out(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world")
    point = next(p for p in world.store.scroll(IMAGES) if p.payload["dataset"] == "beta")
    world.store.set_payload(IMAGES, [point.id], {"status": "pending"})
    report = world.export("coco", tmp_path / "out")
    assert report.n_images == 3
    assert [x.reason for x in report.left_out] == [
        "images that are not ingested, or whose ingestion was stopped"
    ]


def test_a_place_that_is_taken_is_refused_and_only_an_export_is_ever_replaced(
    world: World, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    world.export("coco", out)  # an empty folder is free
    with pytest.raises(ConfigError, match="not empty: choose another folder"):
        world.export("yolo", out)
    world.export("yolo", out, force=True)
    assert (out / "data.yaml").is_file()
    assert not (out / "annotations").exists()
    assert (world.folder / "alpha/images/train/one.png").is_file()  # what links led to is still there
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("x")
    with pytest.raises(ConfigError, match="holds something else than an export"):
        world.export("coco", other, force=True)
    assert (other / "thesis.txt").is_file()
    table = tmp_path / "all.json"
    table.write_text("x")
    with pytest.raises(ConfigError, match="is there already"):
        world.export("coco", table)
    world.export("coco", table, force=True)
    assert json.loads(table.read_text())["images"]
    assert sorted(os.listdir(tmp_path)) == ["all.json", "mine", "out"]


@pytest.mark.parametrize("name", ["out", "out.json"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_is_stopped_leaves_nothing_and_keeps_what_was_there(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[BaseException]
) -> None:
    world.export("coco", tmp_path / name)
    before = sorted(p.name for p in tmp_path.rglob("*"))

    class Failing(CocoWriter):
        def finish(self) -> tuple[str, ...]:
            raise error

    monkeypatch.setattr(export_module, "CocoWriter", Failing)
    with pytest.raises(error):
        world.export("coco", tmp_path / name, force=True)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_nothing_to_export_is_an_error_that_says_what_to_do(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of the 16 segments .* loosen --where"):
        world.export("coco", tmp_path / "out", where=parse_where(["class_name=unicorn"]))
    with pytest.raises(InputError, match="ingest a dataset with labels"):
        world.export("coco", tmp_path / "out", "labels", where=parse_where(["granularity=part"]))
    assert not list(tmp_path.iterdir())


def test_segments_are_asked_for_by_the_image_not_all_at_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samdb.pipelines.export_source._IMAGES_PER_QUERY", 1)
    asked: list[int] = []
    scroll = world.store.scroll

    def counting(name: str, *args: object, **kw: object) -> object:
        points = list(scroll(name, *args, **kw))  # type: ignore[arg-type]
        if name == SEGMENTS:
            asked.append(len(points))
        return iter(points)

    monkeypatch.setattr(world.store, "scroll", counting)
    world.export("coco", tmp_path / "out")
    assert asked == [4, 4, 4, 4]


def test_names_never_repeat_and_stay_readable() -> None:
    names = ImageNames()
    ids = ["a/x.png", "b/x.jpg", "b/X.png", "b/x.jpeg", "y.png"]
    assert [names.name(i) for i in ids] == ["x.png", "b_x.jpg", "b_X_2.png", "b_x_3.jpeg", "y.png"]


def test_the_report_lies_in_the_folder(world: World, tmp_path: Path) -> None:
    report = world.export("voc", tmp_path / "out")
    record = json.loads((tmp_path / "out/samdb_export.json").read_text())
    assert (record["format"], record["n_objects"], record["classes"]) == ("voc", 16, dict(report.classes))
