"""Whole, part, subpart: the tree of masks, on rectangles whose overlaps can be computed by hand."""

from __future__ import annotations

import pytest

from samdb.core.boxes import Box
from samdb.pipelines.nesting import find_parents, granularity_of, root_of
from tests.pipelines.ingest_worlds import filled

SIZE_HW = (100, 200)


def parents(*boxes: Box, roots: frozenset[int] = frozenset()) -> list[int | None]:
    """The parents of filled boxes."""
    return find_parents([filled(box, SIZE_HW) for box in boxes], roots)


def test_a_mask_in_a_mask_in_a_mask_is_a_subpart_of_a_part_of_a_whole() -> None:
    found = parents((0, 0, 80, 80), (0, 0, 40, 40), (0, 0, 20, 20))
    assert found == [None, 0, 1]
    assert [granularity_of(i, found) for i in range(3)] == ["whole", "part", "subpart"]
    assert [root_of(i, found) for i in range(3)] == [0, 0, 0]


def test_what_lies_deeper_than_a_subpart_is_a_subpart_too() -> None:
    found = parents((0, 0, 80, 80), (0, 0, 40, 40), (0, 0, 20, 20), (0, 0, 10, 10))
    assert found == [None, 0, 1, 2]
    assert granularity_of(3, found) == "subpart"


def test_order_does_not_matter() -> None:
    assert parents((0, 0, 20, 20), (0, 0, 40, 40), (0, 0, 80, 80)) == [1, 2, None]


def test_masks_beside_each_other_are_wholes() -> None:
    assert parents((0, 0, 40, 40), (50, 0, 90, 40)) == [None, None]


@pytest.mark.parametrize(
    ("shift", "parent"),
    [(10, 0), (11, None)],  # 90 of 100 columns inside, then 89
)
def test_nine_tenths_of_a_part_must_lie_inside(shift: int, parent: int | None) -> None:
    whole, part = (0, 0, 150, 100), (50 + shift, 0, 150 + shift, 50)
    assert parents(whole, part)[1] == parent


@pytest.mark.parametrize(("width", "parent"), [(80, 0), (81, None)])
def test_a_mask_above_four_fifths_of_another_is_the_same_thing_again(width: int, parent: int | None) -> None:
    assert parents((0, 0, 100, 100), (0, 0, width, 100))[1] == parent


def test_the_smallest_mask_around_is_the_parent() -> None:
    assert parents((0, 0, 100, 100), (0, 0, 50, 50), (0, 0, 60, 60), (0, 0, 30, 30))[3] == 1


def test_of_equally_large_masks_the_first_is_the_parent() -> None:
    assert parents((0, 0, 60, 40), (0, 0, 40, 60), (0, 0, 20, 20))[2] == 0


def test_a_known_whole_gets_no_parent_and_keeps_its_parts() -> None:
    found = parents((0, 0, 100, 100), (0, 0, 50, 50), (0, 0, 20, 20), roots=frozenset({1}))
    assert found == [None, None, 1]
    assert granularity_of(2, found) == "part"


def test_a_mask_in_a_known_whole_stays_below_it_though_a_smaller_mask_straddles_its_edge() -> None:
    # the straddling mask holds the part, too, and is smaller than the whole, but lies only half inside it
    whole, straddling, part = (0, 0, 60, 60), (30, 0, 90, 30), (35, 5, 50, 20)
    assert parents(whole, straddling, part)[2] == 1
    assert parents(whole, straddling, part, roots=frozenset({0})) == [None, None, 0]


def test_between_two_known_wholes_the_smaller_one_gets_the_part() -> None:
    found = parents((0, 0, 100, 100), (0, 0, 60, 60), (0, 0, 20, 20), roots=frozenset({0, 1}))
    assert found == [None, None, 1]


def test_no_masks_have_no_parents() -> None:
    assert find_parents([]) == []
