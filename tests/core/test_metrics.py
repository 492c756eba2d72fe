"""Figures, computed by hand."""

from __future__ import annotations

import pytest

from samdb.core.metrics import balanced_precision, classification_figures


def test_accuracy_and_f1_of_a_small_confusion() -> None:
    truth = ["car", "car", "car", "bus", "bus"]
    figures = classification_figures(truth, ["car", "car", "bus", "bus", None])
    assert figures.accuracy == 3 / 5
    # car: precision 2/2, recall 2/3; bus: precision 1/2, recall 1/2
    assert figures.f1 == {"bus": pytest.approx(0.5), "car": pytest.approx(0.8)}
    assert figures.macro_f1 == pytest.approx(0.65)
    assert [(c.class_name, c.n_true, c.n_predicted) for c in figures.per_class] == [
        ("bus", 2, 2),
        ("car", 3, 2),
    ]


def test_an_answer_outside_the_classes_is_a_miss_and_no_class_of_its_own() -> None:
    figures = classification_figures(["car", "car"], ["car", "rider"], ["car"])
    assert figures.macro_f1 == pytest.approx(2 / 3)


def test_a_truth_outside_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="rider"):
        classification_figures(["rider"], ["car"], ["car"])


def test_nothing_to_judge_gives_zeros() -> None:
    assert classification_figures([], []).macro_f1 == 0.0


def test_balanced_precision_weighs_classes_alike() -> None:
    # three cars all right, one bus half right: the mean over queries would be 0.875
    found = balanced_precision(
        ["car", "car", "car", "bus"], [["car", "car"], ["car", "car"], ["car", "car"], ["bus", None]]
    )
    assert found == pytest.approx(0.75)


def test_a_query_without_an_answer_counts_as_nothing() -> None:
    assert balanced_precision(["car", "car"], [["car"], []]) == 0.5
