"""BDD100K labels with boxes: the 2018 single file, the 2018 files per image, det_20."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from samdb.datasets import describe, open_dataset
from samdb.ports import Dataset

WriteImages: TypeAlias = Callable[..., list[Path]]
WriteJson: TypeAlias = Callable[[Path, object], Path]

CAR = {
    "category": "car",
    "id": 7,
    "manualShape": True,
    "attributes": {"occluded": True, "truncated": False, "trafficLightColor": "none"},
    "box2d": {"x1": 10, "y1": 5, "x2": 19.5, "y2": 14},
}
LIGHT = {
    "category": "traffic light",
    "id": 8,
    "attributes": {"occluded": False, "truncated": False, "trafficLightColor": "red"},
    "box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4},
}
LANE = {
    "category": "lane",
    "id": 9,
    "poly2d": [{"vertices": [[0, 0], [9, 9]], "types": "LL", "closed": False}],
}
AREA = {
    "category": "drivable area",
    "id": 10,
    "poly2d": [{"vertices": [[0, 0], [9, 0], [9, 9]], "types": "LLL", "closed": True}],
}
NIGHT = {"weather": "clear", "scene": "city street", "timeofday": "night"}


def frame(name: str, *labels: object) -> dict[str, object]:
    """A frame of the 2018 single file."""
    return {"name": name, "attributes": NIGHT, "timestamp": 10000, "labels": list(labels)}


@pytest.fixture
def root(tmp_path: Path, write_images: WriteImages) -> Path:
    """A BDD100K folder with two val images and no labels yet."""
    write_images(tmp_path / "bdd" / "images/100k/val", ["a.jpg", "b.jpg"])
    return tmp_path / "bdd"


def test_the_2018_single_file_gives_boxes_attributes_and_det_20_names(
    root: Path, write_json: WriteJson
) -> None:
    person = {"category": "person", "id": 11, "box2d": {"x1": 0, "y1": 0, "x2": 4, "y2": 9}}
    labels = [CAR, LIGHT, person, LANE, AREA]
    write_json(root / "labels/bdd100k_labels_images_val.json", [frame("a.jpg", *labels), frame("b.jpg")])
    dataset = open_dataset(root)
    first, second = dataset.samples("val")
    assert (dataset.format, dataset.name, len(dataset)) == ("bdd100k", "bdd", 2)
    assert (first.image_id, first.split, first.path) == (
        "images/100k/val/a.jpg",
        "val",
        root / first.image_id,
    )
    assert first.attributes == NIGHT
    car, light, pedestrian = first.labels
    # x2 and y2 are the last pixels inside, so our exclusive edges are one further
    assert (car.label_id, car.box_xyxy) == ("7", (10, 5, 20.5, 15))
    assert car.attributes == {"occluded": True, "truncated": False}
    assert light.attributes["traffic_light_color"] == "red"
    assert (pedestrian.category, pedestrian.class_name) == ("person", "pedestrian")
    assert second.has_labels
    assert second.labels == ()
    assert not first.problems
    assert not dataset.problems()


@pytest.mark.parametrize("wrapped", [False, True])
def test_det_20_is_read_as_a_list_and_under_frames(root: Path, write_json: WriteJson, wrapped: bool) -> None:
    light = {**LIGHT, "id": "0000-1", "attributes": {"trafficLightColor": "G", "occluded": False}}
    other = {"category": "other vehicle", "id": "0000-2", "box2d": CAR["box2d"]}
    frames = [frame("a.jpg", light, other), {"name": "b.jpg", "attributes": NIGHT}]
    content = {"frames": frames, "config": {"categories": []}} if wrapped else frames
    write_json(root / "labels/det_20/det_val.json", content)
    first, second = open_dataset(root).samples()
    assert [label.label_id for label in first.labels] == ["0000-1", "0000-2"]
    assert first.labels[0].attributes == {"traffic_light_color": "green", "occluded": False}
    assert [label.ignore for label in first.labels] == [False, True]
    assert second.has_labels  # in the file, with nothing in it


@pytest.mark.parametrize(
    ("category", "name"),
    [("bike", "bicycle"), ("motor", "motorcycle"), ("person", "pedestrian"), ("motorcycle", "motorcycle")],
)
def test_both_vocabularies_become_one(root: Path, write_json: WriteJson, category: str, name: str) -> None:
    write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", {**CAR, "category": category})])
    (label,) = next(open_dataset(root).samples()).labels
    assert (label.category, label.class_name) == (category, name)


def test_2018_files_per_image_have_names_without_ending(root: Path, write_json: WriteJson) -> None:
    area = {"category": "area/drivable", "id": 1, "poly2d": [[0, 0, "L"], [9, 0, "L"], [9, 9, "C"]]}
    lane = {"category": "lane/road curb", "id": 2, "poly2d": [[0, 0, "L"], [9, 9, "L"]]}
    content = {"name": "a", "attributes": NIGHT, "frames": [{"timestamp": 1, "objects": [CAR, area, lane]}]}
    write_json(root / "labels/100k/val/a.json", content)
    first, second = open_dataset(root).samples()
    assert [label.class_name for label in first.labels] == ["car"]
    assert first.attributes == NIGHT
    assert not first.problems
    assert not second.has_labels


def test_det_20_is_preferred_to_2018_and_the_single_file_to_files_per_image(
    root: Path, write_json: WriteJson
) -> None:
    def category() -> str:
        return next(open_dataset(root).samples()).labels[0].category

    write_json(
        root / "labels/100k/val/a.json", {"name": "a", "frames": [{"objects": [{**CAR, "category": "bus"}]}]}
    )
    assert category() == "bus"
    write_json(root / "labels/bdd100k_labels_images_val.json", [frame("a.jpg", {**CAR, "category": "truck"})])
    assert category() == "truck"
    write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", {**CAR, "category": "train"})])
    assert category() == "train"


def box(**corners: object) -> dict[str, object]:
    """A car with a box of its own."""
    return {"category": "car", "id": "x", "box2d": {"x1": 1, "y1": 1, "x2": 5, "y2": 5, **corners}}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (box(x1=float("nan")), "finite"),
        (box(x2=float("inf")), "finite"),
        (box(x2=0.5), "inverted"),
        (box(y1="left"), "not a number"),
        (box(y2=None), "missing"),
        (box(x1=True), "not a number"),
        ({"id": "x", "box2d": box()["box2d"]}, "no category"),
        ({"id": "x", "category": "car"}, "neither box2d"),
        ("nonsense", "no category"),
        (None, "no category"),
    ],
)
def test_a_bad_entry_is_left_out_with_its_reason(
    root: Path, write_json: WriteJson, entry: object, reason: str
) -> None:
    write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", entry, CAR)])
    sample = next(open_dataset(root).samples())
    assert [label.label_id for label in sample.labels] == ["7"]
    assert len(sample.problems) == 1
    assert reason in sample.problems[0]


def test_a_box_of_a_single_pixel_is_good(root: Path, write_json: WriteJson) -> None:
    write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", box(x2=1, y2=1))])
    assert next(open_dataset(root).samples()).labels[0].box_xyxy == (1, 1, 2, 2)


def test_ids_become_unique_and_an_exact_repetition_is_left_out(root: Path, write_json: WriteJson) -> None:
    nameless = {key: value for key, value in CAR.items() if key != "id"}
    labels = [CAR, CAR, {**LIGHT, "id": 7}, nameless]
    write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", *labels)])
    sample = next(open_dataset(root).samples())
    assert [label.label_id for label in sample.labels] == ["7", "7#2", "#3"]
    assert sample.problems == ("label 7: is given twice",)


def test_a_broken_file_is_named_and_the_others_still_work(
    root: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(root / "images/100k/train", ["c.jpg"])
    write_json(root / "labels/det_20/det_train.json", [frame("c.jpg", CAR)])
    (root / "labels/det_20/det_val.json").write_text('[{"name": "a.jpg", "labels": [{"cat')
    dataset = open_dataset(root)
    assert [(s.split, s.has_labels, len(s.labels)) for s in dataset.samples()] == [
        ("train", True, 1),
        ("val", False, 0),
        ("val", False, 0),
    ]
    (problem,) = dataset.problems()
    assert "det_val.json" in problem
    assert "broken JSON" in problem


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"\xff\xfe\x00{", "UTF-8"), (b"[" * 100_000, "nested"), (b"17", "no list of frames")],
)
def test_a_file_that_is_no_label_file_is_a_problem(root: Path, content: bytes, reason: str) -> None:
    path = root / "labels/det_20/det_val.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    dataset = open_dataset(root)
    assert not any(sample.has_labels for sample in dataset.samples())
    assert reason in " ".join(dataset.problems())


def test_a_broken_file_per_image_is_named(root: Path, write_json: WriteJson) -> None:
    write_json(root / "labels/100k/val/a.json", {"name": "a", "frames": [{"objects": [CAR]}]})
    (root / "labels/100k/val/b.json").write_text("{")
    dataset = open_dataset(root)
    good, bad = dataset.samples()
    assert good.has_labels
    assert not bad.has_labels
    assert "b.json" in bad.problems[0]
    assert any("b.json" in problem for problem in dataset.problems())


def test_frames_without_name_and_frames_given_twice_are_problems(root: Path, write_json: WriteJson) -> None:
    frames = [frame("a.jpg", CAR), frame("a.jpg", LIGHT), {"labels": []}, frame("b.jpg")]
    write_json(root / "labels/det_20/det_val.json", frames)
    dataset = open_dataset(root)
    assert [label.label_id for label in next(dataset.samples()).labels] == ["7"]
    assert any("frame 2 has no name" in p for p in dataset.problems())
    assert any("a.jpg is there more than once" in p for p in dataset.problems())


def test_missing_pieces_are_said_and_nothing_crashes(
    root: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(root / "images/100k/test", ["t.jpg"])
    write_json(root / "labels/det_20/det_train.json", [frame("gone.jpg", CAR)])
    write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", CAR), frame("lost.jpg", CAR)])
    dataset = open_dataset(root)
    assert [describe(row) for row in dataset.summary()] == [
        "images/100k/val: 2 images, 1 with boxes (1 box, 1 class)",
        "images/100k/test: 1 image, no labels",
    ]
    assert not dataset.problems()
    text = "\n".join(dataset.notices())
    assert "det_val.json: 1 of 2 labelled images are not there (the first is lost.jpg)" in text
    assert "det_val.json: has no entry for 1 of 2 images (the first is b)" in text
    assert "images/100k/test: no labels (looked for" in text
    assert "labels/det_20/det_train.json: labels without images, there is no folder images/100k/train" in text


def test_labels_without_any_image_open_as_an_empty_dataset(tmp_path: Path, write_json: WriteJson) -> None:
    write_json(tmp_path / "labels/det_20/det_val.json", [frame("a.jpg", CAR)])
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 0
    assert list(dataset.samples()) == []
    assert "there is no folder images/100k/val" in dataset.notices()[0]


def test_the_summary_counts_what_the_samples_give_without_ignored_labels(
    root: Path, write_json: WriteJson
) -> None:
    other = {**CAR, "id": 1, "category": "trailer"}
    crowd = {**CAR, "id": 2, "attributes": {"crowd": True}}
    write_json(
        root / "labels/det_20/det_val.json", [frame("a.jpg", CAR, LIGHT, other, crowd), frame("b.jpg", other)]
    )
    dataset = open_dataset(root)
    (row,) = dataset.summary()
    assert (row.n_images, row.n_labelled, row.n_boxes, row.n_masks, row.n_classes) == (2, 1, 2, 0, 2)
    assert sum(not label.ignore for sample in dataset.samples() for label in sample.labels) == row.n_boxes


def test_it_is_found_where_the_archives_unpack_it(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(tmp_path / "bdd100k_images/bdd100k/images/100k/val", ["a.jpg"])
    write_json(
        tmp_path / "bdd100k_labels_release/bdd100k/labels/bdd100k_labels_images_val.json",
        [frame("a.jpg", CAR)],
    )
    dataset = open_dataset(tmp_path)
    (sample,) = dataset.samples("val")
    assert sample.image_id == "bdd100k_images/bdd100k/images/100k/val/a.jpg"
    assert len(sample.labels) == 1


def test_an_image_folder_or_a_label_file_can_be_given(
    root: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(root / "images/100k/train", ["c.jpg"])
    path = write_json(root / "labels/det_20/det_val.json", [frame("a.jpg", CAR)])
    for inside, expected in [
        (root / "images/100k/val", 2),
        (root / "images", 3),
        (root / "labels", 3),
        (path, 1),
    ]:
        dataset = open_dataset(inside)
        assert (dataset.format, dataset.name, len(dataset)) == ("bdd100k", "bdd", expected)
        by_id = {sample.image_id: sample for sample in dataset.samples()}
        assert len(by_id["images/100k/val/a.jpg"].labels) == 1


def test_a_label_file_beside_its_images_is_enough(
    tmp_path: Path, write_json: WriteJson, write_images: WriteImages
) -> None:
    write_images(tmp_path / "drive", ["a.jpg", "b.jpg"])
    path = write_json(tmp_path / "drive/boxes.json", [frame("a.jpg", CAR)])
    (sample,) = open_dataset(path).samples()
    assert (sample.image_id, len(sample.labels)) == ("a.jpg", 1)
    folder = open_dataset(tmp_path / "drive")
    assert (folder.format, [s.has_labels for s in folder.samples()]) == ("bdd100k", [True, False])


def test_the_dataset_fills_the_port(root: Path) -> None:
    assert isinstance(open_dataset(root), Dataset)
