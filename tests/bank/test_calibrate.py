"""Calibration on held-out images, and thresholds by hand."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.bank.calibrate import N_FOLDS, calibrate, fold_of
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.thresholds import fit_thresholds
from tests.bank.worlds import around, segment, unit

SETTINGS = BankSettings(k=8)


def test_two_classes_apart_are_told_apart() -> None:
    table = SegmentTable.of([*around(0, 100, "car"), *around(1, 100, "bus")])
    found = calibrate(table, SETTINGS)
    assert found is not None
    assert found.metrics["held_out_n"] == 200  # a small set is held out fold by fold until all of it was
    assert found.figures.macro_f1 > 0.95
    assert set(found.figures.f1) == {"car", "bus"}


def test_calibration_is_deterministic() -> None:
    table = SegmentTable.of([*around(0, 60, "car", spread=0.6), *around(1, 60, "bus", spread=0.6)])
    assert calibrate(table, SETTINGS) == calibrate(table, SETTINGS)


def test_segments_of_one_image_never_stand_on_both_sides() -> None:
    # every image shows one vector, labelled by a coin: only a bank that had seen the image could know
    rng = np.random.default_rng(0)
    segments = []
    for image in range(60):
        vector, name = unit(*rng.normal(size=4)), str(rng.choice(["car", "bus"]))
        segments += [segment(f"{image}/{i}", vector, name, image=f"{image}.jpg") for i in range(4)]
    found = calibrate(SegmentTable.of(segments), SETTINGS)
    assert found is not None
    assert found.metrics["held_out_accuracy"] < 0.75


def test_images_of_a_single_fold_cannot_be_held_out() -> None:
    assert calibrate(SegmentTable.of(around(0, 20, "car", n_images=1)), SETTINGS) is None


def test_folds_are_about_equal_and_depend_on_the_seed() -> None:
    folds = [fold_of(f"{i}.jpg", 0) for i in range(1000)]
    assert set(folds) == set(range(N_FOLDS))
    assert min(folds.count(f) for f in range(N_FOLDS)) > 150
    assert folds != [fold_of(f"{i}.jpg", 1) for i in range(1000)]


def test_given_settings_are_not_searched_for() -> None:
    table = SegmentTable.of([*around(0, 60, "car"), *around(1, 60, "bus")])
    found = calibrate(table, BankSettings(k=8, k_neighbours=2, vote_temperature=0.3))
    assert found is not None
    assert (found.k_neighbours, found.vote_temperature) == (2, 0.3)


def test_background_is_rejected_when_the_bank_has_learned_it() -> None:
    table = SegmentTable.of([*around(0, 80, "car"), *around(1, 80, "bus"), *around(3, 80, None)])
    found = calibrate(table, SETTINGS)
    assert found is not None
    assert found.metrics["background_n"] == 80
    assert found.metrics["background_rejected"] > 0.95
    assert found.metrics["held_out_n"] == 160


def test_parts_are_learned_from_but_not_judged_by() -> None:
    parts = [
        segment(f"p{i}", unit(0, 0, 1, 0.1 * i), "car", image=f"{i % 10}.jpg", granularity="part")
        for i in range(20)
    ]
    found = calibrate(SegmentTable.of([*around(0, 50, "car"), *around(1, 50, "bus"), *parts]), SETTINGS)
    assert found is not None
    assert found.metrics["held_out_n"] == 100


def test_progress_is_told_by_fold() -> None:
    seen: list[tuple[int, int]] = []
    calibrate(SegmentTable.of(around(0, 40, "car")), SETTINGS, lambda i, n: seen.append((i, n)))
    assert seen == [(i, N_FOLDS) for i in range(N_FOLDS)]


# --- thresholds: 100 right answers scoring 0.51 .. 1.50 step .01 (values are ranks here, not shares)


def rights(n: int = 100) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 0.5 + np.arange(n) / 1000


def fit(right: list[float], wrong: list[float], max_rejected: float = 0.05) -> float:
    """The threshold of a single class whose right and wrong answers score so."""
    truth = np.array([0] * len(right) + [1] * len(wrong))
    winner = np.zeros(len(truth), dtype=np.int64)
    return fit_thresholds(truth, winner, np.array(right + wrong), ("car",), max_rejected)["car"]


def test_wrong_answers_below_all_right_ones_put_the_threshold_at_the_lowest_right_one() -> None:
    assert fit(list(rights()), [0.1, 0.2]) == 0.5


def test_at_most_the_allowed_share_of_right_answers_is_rejected() -> None:
    # wrong answers everywhere: the best cut lies far up, the allowance of 5 % stops it
    threshold = fit(list(rights()), [0.599] * 50)
    assert (rights() < threshold).sum() <= 5
    assert fit(list(rights()), [0.504] * 50) == pytest.approx(0.505)


def test_without_wrong_answers_nothing_is_rejected() -> None:
    assert fit(list(rights()), []) == 0.0


def test_wrong_answers_above_all_right_ones_are_no_reason_to_reject() -> None:
    assert fit(list(rights()), [0.9] * 10) == 0.0


def test_a_class_with_few_right_answers_takes_the_threshold_of_all() -> None:
    # 100 right cars, 2 right buses, wrong answers at 0.1 of both: the common threshold is 0.4, the bus's
    truth = np.array([0] * 100 + [1] * 2 + [2, 2])
    winner = np.array([0] * 100 + [1] * 2 + [0, 1])
    score = np.array([*rights(), 0.4, 0.45, 0.1, 0.1])
    found = fit_thresholds(truth, winner, score, ("car", "bus"), 0.05)
    assert found == {"car": 0.5, "bus": 0.4}
