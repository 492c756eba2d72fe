"""MAP@R and class means, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.metrics_retrieval import average_precision_at_r, class_mean


def test_average_precision_at_r_looks_at_the_first_r_answers_only() -> None:
    # R = 3: right, wrong, right -> (1/1 + 2/3) / 3; the fourth comes too late
    answers = np.array([True, False, True, True])
    assert average_precision_at_r(answers, 3) == pytest.approx((1 + 2 / 3) / 3)


def test_a_perfect_ranking_has_one_and_nothing_relevant_has_none() -> None:
    assert average_precision_at_r(np.array([True, True, False]), 2) == 1.0
    assert average_precision_at_r(np.array([False]), 0) == 0.0


def test_too_few_answers_are_wrong_ones() -> None:
    assert average_precision_at_r(np.array([True]), 4) == 0.25


def test_classes_count_alike() -> None:
    assert class_mean([1.0, 1.0, 1.0, 0.0], ["car", "car", "car", "bus"]) == 0.5
    assert class_mean([], []) == 0.0
    with pytest.raises(ValueError, match="1 values but 0 classes"):
        class_mean([1.0], [])
