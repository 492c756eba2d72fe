"""Where the features change: by hand on a grid of two materials."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.sam.saliency import feature_contrast, most_telling


def two_materials() -> np.ndarray:
    """Features (2, 5, 6): (1, 0) everywhere except one cell of (0, 3)."""
    features = np.zeros((2, 5, 6), dtype=np.float32)
    features[0] = 1.0
    features[:, 2, 3] = (0.0, 3.0)
    return features


def test_contrast_is_one_less_the_mean_cosine_to_the_eight_neighbours() -> None:
    contrast = feature_contrast(two_materials())
    assert contrast.shape == (5, 6)
    assert contrast[2, 3] == pytest.approx(1.0)  # unlike all eight
    assert contrast[1, 2] == pytest.approx(1 / 8)  # one of its eight is unlike it
    assert contrast[0, 0] == pytest.approx(0.0, abs=1e-6)


def test_the_length_of_a_feature_does_not_matter() -> None:
    features = two_materials()
    scaled = features * np.random.default_rng(0).uniform(0.5, 9, (1, 5, 6)).astype(np.float32)
    assert feature_contrast(scaled) == pytest.approx(feature_contrast(features), abs=1e-6)


def test_the_grids_edge_repeats_outwards() -> None:
    features = np.zeros((2, 1, 2), dtype=np.float32)
    features[0, 0, 0] = features[1, 0, 1] = 1.0
    # of a cell's eight neighbours two repeat itself and three lie beyond the edge on its side: 3 are unlike
    assert feature_contrast(features)[0] == pytest.approx([3 / 8, 3 / 8])


def test_a_cell_without_features_is_no_division_by_zero() -> None:
    assert np.isfinite(feature_contrast(np.zeros((2, 3, 3), dtype=np.float32))).all()


def test_the_most_telling_points_stay_in_their_order() -> None:
    contrast = np.array([[0.1, 0.9], [0.5, 0.3]], dtype=np.float32)
    cells = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert most_telling(cells, contrast, 0.5).tolist() == [1, 2]
    assert most_telling(cells[::-1], contrast, 0.5).tolist() == [1, 2]
    assert most_telling(cells, contrast, 0.01).tolist() == [1]  # never none
    assert most_telling(cells, np.zeros((2, 2), np.float32), 0.5).tolist() == [0, 1]
