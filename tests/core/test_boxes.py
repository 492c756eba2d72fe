"""Boxes by hand: (x0, y0, x1, y1), x1 and y1 exclusive."""

from __future__ import annotations

import math

import numpy as np
import pytest

from samdb.core.boxes import Box, box_area, box_iou, box_problem, clip_box, nms


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((0.0, 0.0, math.nan, 4.0), "not a finite number"),
        ((0.0, 0.0, math.inf, 4.0), "not a finite number"),
        ((5.0, 0.0, 2.0, 4.0), "inverted or empty"),
        ((0.0, 4.0, 2.0, 4.0), "inverted or empty"),
    ],
)
def test_a_box_that_no_image_can_use_says_why(box: Box, reason: str) -> None:
    assert reason in str(box_problem(box))


def test_a_good_box_has_no_problem_even_partly_outside_an_image() -> None:
    assert box_problem((-3.0, -1.0, 2.5, 4.0)) is None


def test_a_box_is_cut_to_the_image() -> None:
    # an image 10 px high and 20 wide
    assert clip_box((-5.0, 2.0, 30.0, 8.0), (10, 20)) == (0.0, 2.0, 20.0, 8.0)


def test_a_box_outside_the_image_leaves_nothing() -> None:
    assert clip_box((20.0, 0.0, 25.0, 5.0), (10, 20)) is None
    assert clip_box((0.0, -5.0, 5.0, 0.0), (10, 20)) is None


def test_areas_are_width_times_height() -> None:
    assert box_area(np.array([[0.0, 0.0, 2.0, 3.0], [1.0, 1.0, 1.0, 9.0]])).tolist() == [6.0, 0.0]


def test_iou_by_hand() -> None:
    a = np.array([[0.0, 0.0, 4.0, 4.0]])
    # shares a 2x2 corner: 4 / (16 + 16 - 4); the same box; a neighbour that only touches; an empty one
    b = np.array([[2.0, 2.0, 6.0, 6.0], [0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 8.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    assert box_iou(a, b)[0] == pytest.approx([4 / 28, 1.0, 0.0, 0.0])


def test_iou_of_two_empty_boxes_is_zero_and_not_nan() -> None:
    empty = np.zeros((1, 4))
    assert box_iou(empty, empty).tolist() == [[0.0]]


def test_iou_of_no_boxes_has_the_right_shape() -> None:
    assert box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def test_nms_keeps_the_best_of_overlapping_boxes_best_first() -> None:
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [50.0, 0.0, 60.0, 10.0]])
    # the first two overlap by 90 / 110
    assert nms(boxes, np.array([0.5, 0.9, 0.7]), 0.7) == [1, 2]


def test_nms_spares_a_box_exactly_at_the_threshold() -> None:
    # 2 of 4 px shared: IoU 2 / 6
    boxes = np.array([[0.0, 0.0, 4.0, 1.0], [2.0, 0.0, 6.0, 1.0]])
    assert nms(boxes, np.array([1.0, 0.5]), 2 / 6) == [0, 1]
    assert nms(boxes, np.array([1.0, 0.5]), 0.33) == [0]


def test_nms_breaks_ties_by_the_lower_index() -> None:
    boxes = np.array([[0.0, 0.0, 4.0, 4.0]] * 3)
    assert nms(boxes, np.array([0.5, 0.5, 0.5]), 0.5) == [0]


def test_a_fallen_box_cannot_fell_others() -> None:
    # b overlaps a and c by half, a and c do not touch: b falls to a, so c stays
    boxes = np.array([[0.0, 0.0, 4.0, 1.0], [2.0, 0.0, 6.0, 1.0], [4.0, 0.0, 8.0, 1.0]])
    assert nms(boxes, np.array([0.9, 0.8, 0.7]), 0.3) == [0, 2]


def test_nms_of_nothing_is_nothing() -> None:
    assert nms(np.zeros((0, 4)), np.zeros(0), 0.5) == []
