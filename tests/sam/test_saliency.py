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


def test_contrast_is_one_less_the_mean_cosine_to_the_cells_around() -> None:
    contrast = feature_contrast(two_materials())
    assert contrast.shape == (5, 6)
    assert contrast[2, 3] == pytest.approx(1.0)  # unlike all 24
    assert contrast[1, 2] == pytest.approx(1 / 24)  # one of its 24 is unlike it
    assert contrast[0, 0] == pytest.approx(0.0, abs=1e-6)  # more than two cells away


def test_the_length_of_a_feature_does_not_matter() -> None:
    features = two_materials()
    scaled = features * np.random.default_rng(0).uniform(0.5, 9, (1, 5, 6)).astype(np.float32)
    assert feature_contrast(scaled) == pytest.approx(feature_contrast(features), abs=1e-6)


def test_the_grids_edge_repeats_outwards() -> None:
    features = np.zeros((2, 1, 2), dtype=np.float32)
    features[0, 0, 0] = features[1, 0, 1] = 1.0
    # the 5 columns around a cell: itself and what lies beyond it (3), the other one and what lies beyond (2)
    assert feature_contrast(features)[0] == pytest.approx([10 / 24, 10 / 24])


def test_a_cell_without_features_is_no_division_by_zero() -> None:
    assert np.isfinite(feature_contrast(np.zeros((2, 3, 3), dtype=np.float32))).all()


def test_the_most_telling_points_stay_in_their_order() -> None:
    contrast = np.array([[0.1, 0.9], [0.5, 0.3]], dtype=np.float32)
    cells = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert most_telling(cells, contrast, 0.5).tolist() == [1, 2]
    assert most_telling(cells[::-1], contrast, 0.5).tolist() == [1, 2]
    assert most_telling(cells, contrast, 0.01).tolist() == [1]  # never none
    assert most_telling(cells, np.zeros((2, 2), np.float32), 0.5).tolist() == [0, 1]
