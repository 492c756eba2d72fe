"""Whitening, on clouds whose covariance is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.bank.table import BankSegment, SegmentTable
from samdb.bank.whitening import fit_whitening, main_axes, whitening_of
from samdb.core.ids import make_id
from samdb.core.vectors import normalise


def long_clouds(n: int = 300) -> SegmentTable:
    """Two classes that lie apart along y, both stretched along x: x says nothing, and most."""
    rng = np.random.default_rng(0)
    segments = []
    for i in range(n):
        side = 1 if i % 2 else -1
        row = np.array([rng.normal() * 0.5, side * 0.1 + rng.normal() * 0.05, 1.0])
        name = "car" if i % 2 else "bus"
        segments.append(BankSegment(make_id("t", str(i)), normalise(row), name, "whole", f"{i % 10}.jpg"))
    return SegmentTable.of(segments)


def test_within_a_class_whitened_rows_have_a_variance_of_one() -> None:
    table = long_clouds()
    white = whitening_of(table, 3, shrinkage=0.0).apply(table.vectors)
    names = np.array(table.class_names)
    within = np.mean([np.cov(white[names == n].T) for n in ("car", "bus")], axis=0)
    np.testing.assert_allclose(within, np.eye(3), atol=0.02)


@pytest.mark.parametrize("shrinkage", [0.1, 0.3])
def test_the_map_is_the_inverse_root_and_then_the_main_axes(shrinkage: float) -> None:
    """In two steps: the covariance within classes, each alike, drawn to a sphere; its inverse root."""
    table = long_clouds()
    rows, names = table.vectors.astype(np.float64), np.array(table.class_names)
    within = np.mean([np.cov(rows[names == n].T, bias=True) for n in ("car", "bus")], axis=0)
    shrunk = (1 - shrinkage) * within + shrinkage * np.eye(3) * np.trace(within) / 3
    values, vectors = np.linalg.eigh(shrunk)
    root = vectors / np.sqrt(values) @ vectors.T
    mean = np.mean([rows[names == n].mean(axis=0) for n in ("car", "bus")], axis=0)
    by_hand = main_axes((rows - mean) @ root, np.full(len(rows), 1 / len(rows)), 2) @ root
    found = whitening_of(table, 2, shrinkage)
    np.testing.assert_allclose(found.mean, mean, atol=1e-9)
    np.testing.assert_allclose(found.matrix @ found.matrix.T, by_hand @ by_hand.T, rtol=1e-3)
    np.testing.assert_allclose(np.abs(found.matrix), np.abs(by_hand), rtol=1e-3, atol=1e-3)


def test_whitening_brings_the_nearest_neighbours_into_the_own_class() -> None:
    table = long_clouds()
    names = np.array(table.class_names)

    def purity(rows: NDArray[np.float32]) -> float:
        near = np.argsort(-(rows @ rows.T), axis=1)[:, 1:6]
        return float((names[near] == names[:, None]).mean())

    head = fit_whitening(table, ("neck",), 1, shrinkage=0.0)
    assert purity(table.vectors) < 0.96
    assert purity(head.project(table.vectors)) > 0.98


def test_a_head_of_more_numbers_than_there_are_is_padded() -> None:
    table = long_clouds(20)
    head = fit_whitening(table, ("neck",), 5)
    assert head.project(table.vectors).shape == (20, 5)
    np.testing.assert_array_equal(head.project(table.vectors)[:, 3:], 0)


def test_one_segment_per_class_does_not_divide_by_zero() -> None:
    segments = [
        BankSegment(make_id("t", name), normalise(np.eye(3)[i]), name, "whole", "a.jpg")
        for i, name in enumerate(("bus", "car"))
    ]
    table = SegmentTable.of(segments)
    found = fit_whitening(table, ("neck",), 2).project(table.vectors)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_the_main_axes_are_those_of_the_largest_squares() -> None:
    rows = np.array([[3.0, 0.0], [0.0, -1.0]])
    np.testing.assert_allclose(main_axes(rows, np.array([0.5, 0.5]), 1), [[1, 0]], atol=1e-9)
    # weights decide: the second row counts a hundredfold
    np.testing.assert_allclose(main_axes(rows, np.array([0.01, 1.0]), 1), [[0, 1]], atol=1e-9)


@pytest.mark.parametrize("shrinkage", [0.1, 1.0])
def test_shrinkage_leaves_the_map_finite_and_at_one_only_turns(shrinkage: float) -> None:
    matrix = whitening_of(long_clouds(), 3, shrinkage).matrix
    assert np.isfinite(matrix).all()
    if shrinkage == 1.0:
        np.testing.assert_allclose(
            matrix @ matrix.T, np.eye(3) * (matrix[0] @ matrix[0]), rtol=1e-6, atol=1e-6
        )
