"""BDD100K instance segmentation: bitmasks, run lengths, outlines with Bezier curves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samdb.core.masks import Rle
from samdb.core.sample import Sample
from samdb.datasets import describe, open_dataset
from samdb.datasets.json_file import Json
from samdb.datasets.poly2d import poly2d_polygons
from samdb.errors import DatasetError

WriteImages: TypeAlias = Callable[..., list[Path]]
WriteJson: TypeAlias = Callable[[Path, object], Path]

SIZE_HW = (20, 40)


@pytest.fixture
def root(tmp_path: Path, write_images: WriteImages) -> Path:
    """A BDD100K folder with one 40x20 px image of the 10k set and no labels yet."""
    write_images(tmp_path / "images/10k/val", ["a.jpg"], SIZE_HW)
    return tmp_path


def rectangle(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.bool_]:
    """A mask of SIZE_HW with one rectangle, x1 and y1 exclusive."""
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def outline(x0: float, y0: float, x1: float, y1: float) -> list[dict[str, object]]:
    """The same as a poly2d."""
    return [{"vertices": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], "types": "LLLL", "closed": True}]


def only_sample(root: Path) -> Sample:
    """The one sample of the dataset."""
    (sample,) = open_dataset(root).samples()
    return sample


def save_bitmask(root: Path, *instances: tuple[NDArray[np.bool_], int, int, int]) -> None:
    """Save a bitmask for a.jpg from (mask, category, attribute bits, instance number)."""
    picture = np.zeros((*SIZE_HW, 4), dtype=np.uint8)
    for mask, category, bits, number in instances:
        picture[mask] = (category, bits, number >> 8, number & 255)
    folder = root / "labels/ins_seg/bitmasks/val"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / "a.png")


def test_a_bitmask_gives_mask_box_class_and_attributes(root: Path) -> None:
    car, person = rectangle(5, 3, 15, 10), rectangle(20, 0, 40, 20)
    # 300 = (1 << 8) + 44: the instance number spans two channels
    save_bitmask(root, (car, 3, 0b1100, 300), (person, 1, 0b0110, 2))
    person_label, car_label = only_sample(root).labels
    assert (car_label.label_id, car_label.class_name, car_label.box_xyxy) == ("300", "car", (5, 3, 15, 10))
    assert car_label.attributes == {"truncated": True, "occluded": True}
    assert not car_label.ignore
    assert car_label.mask is not None
    assert np.array_equal(car_label.mask.decode(), car)
    assert (person_label.class_name, person_label.ignore) == ("pedestrian", True)  # a crowd
    (row,) = open_dataset(root).summary()
    assert describe(row) == "images/10k/val: 1 image, 1 with masks (1 mask, 1 class)"


def test_an_instance_of_two_pieces_is_one_label(root: Path) -> None:
    save_bitmask(root, (rectangle(0, 0, 4, 4) | rectangle(10, 10, 14, 14), 8, 0, 1))
    (label,) = only_sample(root).labels
    assert (label.class_name, label.box_xyxy) == ("bicycle", (0, 0, 14, 14))
    assert label.mask is not None
    assert label.mask.area_px == 32


def test_impossible_bitmask_instances_are_left_out_with_a_reason(root: Path) -> None:
    good, odd, split = rectangle(0, 0, 4, 4), rectangle(6, 0, 9, 4), rectangle(10, 0, 14, 4)
    save_bitmask(root, (good, 3, 0, 1), (odd, 77, 0, 2), (split, 3, 0, 3), (rectangle(20, 0, 24, 4), 4, 0, 3))
    sample = only_sample(root)
    assert [label.label_id for label in sample.labels] == ["1"]
    assert "category 77" in sample.problems[0]
    assert "2 different categories" in sample.problems[1]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n broken"])
def test_a_bitmask_that_cannot_be_read_is_a_problem(root: Path, content: bytes) -> None:
    folder = root / "labels/ins_seg/bitmasks/val"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(content)
    dataset = open_dataset(root)
    assert not next(dataset.samples()).has_labels
    assert "a.png" in " ".join(dataset.problems())


def test_a_picture_that_is_no_bitmask_is_a_problem(root: Path) -> None:
    folder = root / "labels/ins_seg/bitmasks/val"
    folder.mkdir(parents=True)
    Image.new("RGB", (40, 20)).save(folder / "a.png")
    assert "must be RGBA" in only_sample(root).problems[0]


def test_run_lengths_give_the_mask_and_keep_the_given_box(root: Path, write_json: WriteJson) -> None:
    mask = rectangle(5, 3, 15, 10)
    rle = {"size": list(SIZE_HW), "counts": Rle.encode(mask).counts}
    labels = [
        {"id": "1", "category": "car", "rle": rle, "box2d": {"x1": 5, "y1": 3, "x2": 14, "y2": 9}},
        {"id": "2", "category": "motor", "rle": rle, "attributes": {"crowd": True}},
    ]
    write_json(
        root / "labels/ins_seg/rles/ins_seg_val.json", {"frames": [{"name": "a.jpg", "labels": labels}]}
    )
    car, motor = only_sample(root).labels
    assert car.box_xyxy == motor.box_xyxy == (5, 3, 15, 10)
    assert car.mask == motor.mask == Rle.encode(mask)
    assert (motor.category, motor.class_name, motor.ignore) == ("motor", "motorcycle", True)


def test_run_lengths_come_before_bitmasks_and_bitmasks_before_outlines(
    root: Path, write_json: WriteJson
) -> None:
    def name() -> str:
        return only_sample(root).labels[0].class_name

    def frames(category: str, **shape: object) -> list[object]:
        return [{"name": "a.jpg", "labels": [{"id": "1", "category": category, **shape}]}]

    write_json(root / "labels/ins_seg/polygons/ins_seg_val.json", frames("bus", poly2d=outline(0, 0, 9, 9)))
    assert name() == "bus"
    save_bitmask(root, (rectangle(0, 0, 4, 4), 3, 0, 1))
    assert name() == "car"
    rle = {"size": list(SIZE_HW), "counts": Rle.encode(rectangle(0, 0, 4, 4)).counts}
    write_json(root / "labels/ins_seg/rles/ins_seg_val.json", frames("train", rle=rle))
    assert name() == "train"


def test_outlines_are_drawn_at_the_size_of_the_image(root: Path, write_json: WriteJson) -> None:
    label = {"id": "1", "category": "truck", "poly2d": outline(4, 2, 14, 12)}
    write_json(root / "labels/ins_seg/polygons/ins_seg_val.json", [{"name": "a.jpg", "labels": [label]}])
    (truck,) = only_sample(root).labels
    assert truck.mask is not None
    assert truck.mask.size_hw == SIZE_HW
    assert truck.mask.area_px == 100
    assert truck.box_xyxy == (4, 2, 14, 12)


def test_a_later_outline_covers_an_earlier_one(root: Path, write_json: WriteJson) -> None:
    labels = [
        {"id": "behind", "category": "car", "poly2d": outline(0, 0, 20, 10)},
        {"id": "front", "category": "person", "poly2d": outline(10, 0, 20, 10)},
        {"id": "hidden", "category": "rider", "poly2d": outline(30, 5, 35, 8)},
        {"id": "cover", "category": "bus", "poly2d": outline(28, 0, 38, 15)},
    ]
    write_json(root / "labels/ins_seg/polygons/ins_seg_val.json", [{"name": "a.jpg", "labels": labels}])
    sample = only_sample(root)
    by_id = {label.label_id: label for label in sample.labels}
    assert sorted(by_id) == ["behind", "cover", "front"]
    assert by_id["behind"].box_xyxy == (0, 0, 10, 10)
    assert by_id["front"].box_xyxy == (10, 0, 20, 10)
    assert sample.problems == ("label hidden: its outline is wholly covered by later ones",)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"rle": {"size": [20, 40], "counts": "zzzz"}}, "damaged"),
        ({"rle": {"size": [20, 40], "counts": "PPPP0000"}}, "do not fill"),
        ({"rle": {"size": [20, 40], "counts": [10, 20]}}, "do not fill"),
        ({"rle": {"size": [20, 40], "counts": [10, -20]}}, "whole numbers"),
        ({"rle": {"size": [20, 40], "counts": [800]}}, "empty"),
        ({"rle": {"size": [20], "counts": [800]}}, "not a list of 2 numbers"),
        ({"rle": {"size": [0, 40], "counts": []}}, "size"),
        ({"rle": {"size": [1e9, 1e9], "counts": [0, 10**18]}}, "size"),
        ({"poly2d": [{"vertices": [[0, 0], [1, 1]], "types": "LL", "closed": True}]}, "3 or more"),
        ({"poly2d": [{"vertices": [[0, 0], [9, 0], [9]], "types": "LLL", "closed": True}]}, "not [x, y]"),
        ({"poly2d": [{"vertices": [[0, 0], [9, 0], [9, 9]], "types": "LLX", "closed": True}]}, "types"),
        ({"poly2d": [{"vertices": [[0, 0], [9, 0], [float("nan"), 9]], "types": "LLL"}]}, "finite"),
        ({"poly2d": outline(100, 100, 120, 120)}, "empty"),
    ],
)
def test_a_bad_mask_is_left_out_but_a_good_box_stays(
    root: Path, write_json: WriteJson, shape: dict[str, object], reason: str
) -> None:
    labels = [
        {"id": "bare", "category": "car", **shape},
        {"id": "boxed", "category": "car", "box2d": {"x1": 1, "y1": 1, "x2": 5, "y2": 5}, **shape},
    ]
    write_json(root / "labels/ins_seg/polygons/ins_seg_val.json", [{"name": "a.jpg", "labels": labels}])
    sample = only_sample(root)
    (label,) = sample.labels
    assert (label.label_id, label.mask, label.box_xyxy) == ("boxed", None, (1, 1, 6, 6))
    assert len(sample.problems) == 2
    assert all(reason in problem for problem in sample.problems)


def test_outlines_of_an_image_that_cannot_be_read_are_problems(root: Path, write_json: WriteJson) -> None:
    (root / "images/10k/val/a.jpg").write_bytes(b"")
    label = {"id": "1", "category": "truck", "poly2d": outline(4, 2, 14, 12)}
    path = root / "labels/ins_seg/polygons/ins_seg_val.json"
    write_json(path, [{"name": "a.jpg", "labels": [label]}])
    sample = only_sample(root)
    assert not sample.labels
    assert "without the image's size" in sample.problems[0]
    # the file may tell the size itself
    write_json(path, [{"name": "a.jpg", "size": {"width": 40, "height": 20}, "labels": [label]}])
    assert len(only_sample(root).labels) == 1


def test_straight_outlines_stay_as_they_are() -> None:
    assert poly2d_polygons([{"vertices": [[0, 0], [4, 0], [4, 3]], "types": "LLL", "closed": True}]) == [
        [0, 0, 4, 0, 4, 3]
    ]
    assert poly2d_polygons([[0, 0, "L"], [4, 0, "L"], [4, 3, "L"]]) == [[0, 0, 4, 0, 4, 3]]


def test_open_lines_enclose_nothing() -> None:
    assert poly2d_polygons([{"vertices": [[0, 0], [4, 0], [4, 3]], "types": "LLL", "closed": False}]) == []


def test_control_points_make_the_cubic_curve_that_matplotlib_draws() -> None:
    # from (0, 0) over the control points (0, 40) and (100, 40) to (100, 0), then back along the base
    vertices: list[Json] = [[0, 0], [0, 40], [100, 40], [100, 0]]
    (polygon,) = poly2d_polygons([{"vertices": vertices, "types": "LCCL", "closed": True}])
    points = np.array(polygon).reshape(-1, 2)
    assert tuple(points[0]) == (0, 0)
    assert tuple(points[-1]) == (100, 0)
    assert points[:, 1].max() == pytest.approx(30)  # at t = 1/2: 3/8 * 40 + 3/8 * 40
    x, y = points[:, 0], points[:, 1]
    area = 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))
    # the integral of y dx over the curve, 0.6 of the 100x40 box, less what flattening cuts off
    assert area == pytest.approx(2400, rel=1e-3)


def test_a_curve_may_end_at_the_start_of_the_outline() -> None:
    (polygon,) = poly2d_polygons(
        [{"vertices": [[0, 0], [90, 0], [90, 60], [0, 60]], "types": "LLCC", "closed": True}]
    )
    assert polygon[-2:] == [0, 0]
    assert len(polygon) > 10


def test_a_poly2d_of_another_form_is_refused() -> None:
    with pytest.raises(DatasetError, match="vertices"):
        poly2d_polygons(["nonsense"])
