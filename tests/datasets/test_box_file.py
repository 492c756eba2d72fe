"""The boxes a person gives for one image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from samdb.datasets import read_boxes
from samdb.errors import DatasetError


def test_boxes_come_bare_or_with_a_class(tmp_path: Path, write_json: Callable[[Path, object], Path]) -> None:
    content = [[1, 2, 3, 4.5], {"box_xyxy": [0, 0, 9, 9], "class_name": "car"}, {"box_xyxy": [0, 0, 1, 1]}]
    bare, car, nameless = read_boxes(write_json(tmp_path / "boxes.json", content))
    assert (bare.label_id, bare.box_xyxy, bare.class_name) == ("0", (1, 2, 3, 4.5), "")
    assert (car.label_id, car.box_xyxy, car.class_name, car.category) == ("1", (0, 0, 9, 9), "car", "car")
    assert nameless.class_name == ""


def test_an_empty_list_is_no_boxes(tmp_path: Path, write_json: Callable[[Path, object], Path]) -> None:
    assert read_boxes(write_json(tmp_path / "boxes.json", [])) == ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"boxes": []}, "must hold a list"),
        ([[1, 2, 3, 4], [1, 2, 3]], "entry 1: the box is .* not a list of 4 numbers"),
        ([[5, 2, 3, 4]], "entry 0: box .* inverted"),
        ([[1, 2, 3, float("nan")]], "finite"),
        ([[1, 2, 3, "4"]], "not a number"),
        ([{"box": [1, 2, 3, 4]}], "unknown key 'box'"),
        ([{"class_name": "car"}], "the box is None"),
        ([{"box_xyxy": [1, 2, 3, 4], "class_name": 3}], "not a name"),
        ([7], "the box is 7"),
    ],
)
def test_anything_else_is_refused_with_its_place(
    tmp_path: Path, write_json: Callable[[Path, object], Path], content: object, reason: str
) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_boxes(write_json(tmp_path / "boxes.json", content))


def test_a_file_that_is_missing_or_broken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_boxes(tmp_path / "boxes.json")
    (tmp_path / "boxes.json").write_text("[[1, 2")
    with pytest.raises(DatasetError, match="broken JSON"):
        read_boxes(tmp_path / "boxes.json")
