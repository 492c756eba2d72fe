"""Reliability bins and the expected calibration error, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from samdb.core.metrics_calibration import reliability


def test_two_bins_and_their_error() -> None:
    # below one half: confidence .2, all wrong; above: confidence .8 and 1, one of two right
    bins = reliability(np.array([0.2, 0.8, 1.0]), np.array([False, True, False]), n_bins=2)
    assert bins.counts.tolist() == [1, 2]
    assert bins.confidence.tolist() == [0.2, 0.9]
    assert bins.accuracy.tolist() == [0.0, 0.5]
    assert bins.ece == pytest.approx((0.2 * 1 + 0.4 * 2) / 3)


def test_an_empty_bin_has_no_mean_and_no_answers_have_no_error() -> None:
    bins = reliability(np.array([0.9]), np.array([True]), n_bins=2)
    assert np.isnan(bins.accuracy).tolist() == [True, False]
    assert reliability(np.array([]), np.array([], dtype=bool)).ece == 0.0


def test_a_confidence_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        reliability(np.array([1.1]), np.array([True]))


def test_scikit_learn_has_the_same_bins() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(500)
    right = rng.random(500) < confidence
    accuracy, mean = calibration_curve(right, confidence, n_bins=10)
    bins = reliability(confidence, right)
    np.testing.assert_allclose(bins.accuracy, accuracy)
    np.testing.assert_allclose(bins.confidence, mean)
