"""Centres of hand-made worlds: unit 4-vectors, so that every mean can be checked on paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from samdb.bank.kmeans import fit_centres, seed_for
from samdb.core.vectors import normalise

# two tight groups, around e0 and around e1: the means lie on the axes between each pair
TWO_GROUPS = normalise(
    np.array([[1, 0, 0.1, 0], [1, 0, -0.1, 0], [0, 1, 0.1, 0], [0, 1, -0.1, 0]], dtype=np.float32)
)


def cloud(n: int, seed: int = 0) -> NDArray[np.float32]:
    """`n` unit rows of 8 numbers in no particular shape."""
    return normalise(np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32))


def test_two_groups_give_their_two_axes() -> None:
    centres = fit_centres(TWO_GROUPS, 2, seed=0)
    found = {tuple(np.round(v, 6)) for v in centres.vectors}
    assert found == {(1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)}
    assert centres.counts.tolist() == [2, 2]


def test_centres_are_unit_norm_float32() -> None:
    centres = fit_centres(cloud(200), 10, seed=0)
    assert centres.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(centres.vectors, axis=1), 1.0, atol=1e-6)
    assert centres.counts.sum() == 200


def test_the_exemplar_is_the_member_closest_to_the_centre() -> None:
    # the mean of these leans to the middle one
    rows = normalise(np.array([[1, 0.3, 0, 0], [1, 0.1, 0, 0], [1, -0.2, 0, 0]], dtype=np.float32))
    centres = fit_centres(rows, 1, seed=0)
    assert centres.exemplars.tolist() == [int(np.argmax(rows @ centres.vectors[0]))] == [1]


def test_duplicates_give_no_more_centres_than_distinct_rows() -> None:
    rows = np.repeat(np.eye(4, dtype=np.float32)[:2], 5, axis=0)
    centres = fit_centres(rows, 51, seed=0)
    assert sorted(centres.counts.tolist()) == [5, 5]


def test_rows_that_differ_in_their_last_bits_raise_no_warning() -> None:
    rows = np.repeat(np.eye(4, dtype=np.float32)[:1], 6, axis=0)
    rows[:, 1] = np.arange(6, dtype=np.float32) * 1e-9
    centres = fit_centres(rows, 6, seed=0)
    assert centres.counts.sum() == 6


def test_opposite_members_that_cancel_out_still_give_a_unit_centre() -> None:
    rows = np.array([[1, 0, 0, 0], [-1, 0, 0, 0]], dtype=np.float32)
    assert fit_centres(rows, 1, seed=0).vectors.tolist() == [[1, 0, 0, 0]]


@pytest.mark.parametrize("mini_batch_above", [20_000, 100])
def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(mini_batch_above: int) -> None:
    rows = cloud(1500)
    found = []
    for threads in (1, 2, 4):
        with threadpool_limits(threads):
            found.append(fit_centres(rows, 20, seed=7, mini_batch_above=mini_batch_above))
    assert len({c.vectors.tobytes() for c in found}) == 1
    assert len({c.exemplars.tobytes() for c in found}) == 1


def test_mini_batches_cover_every_segment() -> None:
    centres = fit_centres(cloud(500), 12, seed=0, mini_batch_above=100)
    assert centres.counts.sum() == 500
    assert (centres.counts > 0).all()


def test_each_class_has_a_seed_of_its_own() -> None:
    assert seed_for(0, "car", "whole") != seed_for(0, "bus", "whole") != seed_for(1, "bus", "whole")
