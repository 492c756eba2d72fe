"""Unit vectors, and those that must never be stored."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.vectors import check_embedding, normalise


def test_rows_are_scaled_to_norm_one() -> None:
    # 3-4-5 and 5-12-13 triangles
    assert normalise(np.array([[3.0, 4.0], [5.0, 12.0]])).tolist() == [
        pytest.approx([0.6, 0.8]),
        pytest.approx([5 / 13, 12 / 13]),
    ]


def test_a_single_vector_is_scaled_too_and_becomes_float32() -> None:
    unit = normalise(np.array([0.0, -2.0], dtype=np.float64))
    assert unit.dtype == np.float32
    assert unit.tolist() == [0.0, -1.0]


def test_a_unit_row_is_kept_bit_for_bit() -> None:
    rows = normalise(np.random.default_rng(0).normal(size=(100, 256)))
    assert (normalise(rows) == rows).all()


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_a_row_that_is_zero_or_not_finite_is_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="finite and not zero"):
        normalise(np.array([[1.0, 0.0], bad]))


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        (np.array([1.0, 0.0], dtype=np.float64), "float32"),
        (np.array([[1.0, 0.0]], dtype=np.float32), r"\(1, 2\)"),
        (np.array([1.0, 1.0], dtype=np.float32), "norm 1"),
        (np.array([np.nan, 0.0], dtype=np.float32), "norm 1, got nan"),
        (np.zeros(2, dtype=np.float32), "norm 1, got 0"),
    ],
)
def test_what_is_no_embedding_is_refused_with_what_it_is(vector: NDArray[np.float32], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_embedding("neck", vector)


def test_a_unit_float32_vector_is_an_embedding() -> None:
    check_embedding("neck", np.array([0.6, 0.8], dtype=np.float32))
