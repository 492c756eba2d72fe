"""Figures of the latent space, in worlds small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.vectors import normalise
from samdb.pipelines.probe_figures import CosineCounts, auroc, compare_pairs, principal_axes

# two of class a 60 degrees apart, one of class b at right angles to the first: cosines .5, 0 and sqrt(3) / 2
VECTORS = normalise(np.array([[1, 0], [0.5, np.sqrt(0.75)], [0, 1]]))
CLASSES = np.array([0, 0, 1], dtype=np.int64)


def counts(*cosines: float) -> CosineCounts:
    return CosineCounts.of(np.array(cosines))


def test_pairs_are_counted_within_a_class_and_across() -> None:
    found = compare_pairs(VECTORS, CLASSES, np.arange(3), ("a", "b"))
    a, b = found.classes
    assert (a.n_segments, a.within.n, a.between.n) == (2, 1, 2)
    assert (b.n_segments, b.within.n, b.between.n) == (1, 0, 2)
    assert (found.within.n, found.between.n) == (1, 2)
    assert found.within.median == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_allclose(
        found.mean_cosine, [[0.5, np.sqrt(0.75) / 2], [np.sqrt(0.75) / 2, np.nan]], atol=1e-6
    )
    # the pair within is closer than one of the two across
    assert (found.auroc, a.auroc, b.auroc, found.balanced_auroc) == (0.5, 0.5, None, 0.5)


def test_pairs_within_an_image_are_left_out() -> None:
    found = compare_pairs(VECTORS, CLASSES, np.array([0, 0, 1]), ("a", "b"))
    assert (found.within.n, found.between.n) == (0, 2)
    assert found.auroc is None


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    # of the pairs (.9, .5), (.9, .7), (.6, .5), (.6, .7) three are in order
    assert auroc(counts(0.9, 0.6), counts(0.5, 0.7)) == pytest.approx(0.75)
    assert auroc(counts(0.3), counts(0.3)) == pytest.approx(0.5)
    assert auroc(counts(), counts(0.3)) is None


def test_a_median_is_off_by_less_than_a_thousandth() -> None:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 1, 501)
    assert CosineCounts.of(cosines).median == pytest.approx(float(np.median(cosines)), abs=1e-3)
    assert counts(1.0).median == pytest.approx(1.0, abs=1e-3)
    assert counts().median is None


def test_the_first_axis_is_that_of_the_largest_spread() -> None:
    rows = np.array([[-2, 0, 0], [2, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=np.float32)
    xy, explained = principal_axes(rows)
    np.testing.assert_allclose(xy, rows[:, :2], atol=1e-12)
    np.testing.assert_allclose(explained, [0.8, 0.2])


def test_points_that_are_all_the_same_lie_on_one_spot() -> None:
    xy, explained = principal_axes(np.ones((3, 4), dtype=np.float32))
    np.testing.assert_array_equal(xy, 0)
    np.testing.assert_array_equal(explained, 0)
