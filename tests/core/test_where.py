"""The filter language of `--where`."""

from __future__ import annotations

import pytest

from samdb.core.points import Condition
from samdb.core.where import parse_where
from samdb.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("class_name=car", Condition("class_name", "=", ("car",))),
        ("class_name=car,truck", Condition("class_name", "=", ("car", "truck"))),
        ("class_name = traffic light", Condition("class_name", "=", ("traffic light",))),
        ("flags!=sub_cell", Condition("flags", "!=", ("sub_cell",))),
        ("area_px>=2000", Condition("area_px", ">=", (2000,))),
        ("area_px<=-1", Condition("area_px", "<=", (-1,))),
        ("area_px > 10", Condition("area_px", ">", (10,))),
        ("predicted_iou<0.9", Condition("predicted_iou", "<", (0.9,))),
        ("occluded=true", Condition("occluded", "=", (True,))),
        ("truncated=False", Condition("truncated", "=", (False,))),
        ("attributes.weather=rainy", Condition("attributes.weather", "=", ("rainy",))),
        ("lanes=2,3", Condition("lanes", "=", (2, 3))),
    ],
)
def test_a_filter_reads_as_it_is_written(text: str, condition: Condition) -> None:
    assert parse_where([text]) == (condition,)


def test_a_number_keeps_its_type() -> None:
    (condition,) = parse_where(["area_px=2"])
    assert type(condition.values[0]) is int


def test_names_that_look_like_numbers_stay_text() -> None:
    assert parse_where(["image_id=0001", "run=7", "class_name=true"]) == (
        Condition("image_id", "=", ("0001",)),
        Condition("run", "=", ("7",)),
        Condition("class_name", "=", ("true",)),
    )


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_where(["image_id=a=b.jpg"]) == (Condition("image_id", "=", ("a=b.jpg",)),)


def test_no_filters_mean_no_conditions() -> None:
    assert parse_where([]) == ()


@pytest.mark.parametrize("text", ["", "class_name", "=car", "class_name=", "class name=car", "1st=2"])
def test_a_filter_that_cannot_be_read_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigError, match="for example class_name=car"):
        parse_where([text])


@pytest.mark.parametrize("text", ["area_px>=big", "area_px>true", "area_px<1,2"])
def test_a_comparison_needs_one_number(text: str) -> None:
    with pytest.raises(ConfigError, match="needs one number"):
        parse_where([text])


def test_a_list_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no value"):
        parse_where(["class_name=,"])
