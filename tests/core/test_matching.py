"""Matching detections to boxes, by hand."""

from __future__ import annotations

import numpy as np

from samdb.core.matching import IGNORED, UNMATCHED, match_boxes

LEFT, RIGHT = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0)
NEARLY_LEFT = (0.0, 0.0, 10.0, 8.0)  # IoU 0.8
HALF_LEFT = (0.0, 0.0, 10.0, 5.0)  # IoU 0.5


def matched(
    scores: list[float], boxes: list[tuple[float, ...]], ignored: tuple[bool, bool] = (False, False)
) -> list[int]:
    truth = np.array([LEFT, RIGHT])
    found = match_boxes(np.array(scores), np.array(boxes).reshape(-1, 4), truth, np.array(ignored))
    return [int(i) for i in found]


def test_the_highest_score_takes_the_box_and_a_second_one_is_wrong() -> None:
    assert matched([0.5, 0.9, 0.7], [LEFT, NEARLY_LEFT, RIGHT]) == [UNMATCHED, 0, 1]


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    assert matched([0.9], [HALF_LEFT]) == [0]
    assert matched([0.9], [(0.0, 0.0, 10.0, 4.9)]) == [UNMATCHED]


def test_what_lies_on_an_ignored_box_counts_neither_way() -> None:
    assert matched([0.9, 0.8, 0.7], [RIGHT, RIGHT, LEFT], (False, True)) == [IGNORED, IGNORED, 0]


def test_without_boxes_or_detections_nothing_matches() -> None:
    assert matched([], []) == []
    none = np.empty((0, 4))
    assert match_boxes(np.ones(1), np.array([LEFT]), none, np.empty(0, dtype=bool)).tolist() == [UNMATCHED]
