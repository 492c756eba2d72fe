"""The similarity map, on hand-made features of two numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.sam.frame import Frame
from samdb.sam.networks import GRID
from samdb.sam.similarity import similarity_map

SIZE_HW = (512, 1024)  # one px of the image is one px of SAM's square, a cell is 16 x 16 px


def block(x0: int, y0: int, x1: int, y1: int) -> Rle:
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return Rle.encode(mask)


def two_halves() -> NDArray[np.float32]:
    """The left half of the image is e0, the right half e1; the padding below is -e0."""
    features = np.zeros((2, GRID, GRID), dtype=np.float32)
    features[0, :, : GRID // 2] = 3.0
    features[1, :, GRID // 2 :] = 0.5
    features[:, GRID // 2 :] = [[[-1.0]], [[0.0]]]
    return features


def test_the_half_that_the_mask_lies_in_is_like_it_and_the_other_is_not() -> None:
    found = similarity_map(two_halves(), Frame(SIZE_HW), block(64, 64, 128, 128))
    assert found.shape == SIZE_HW
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, :500], 1.0, atol=1e-6)
    np.testing.assert_allclose(found[:, 524:], 0.0, atol=1e-6)
    assert 0.1 < found[100, 512] < 0.9  # between two cells it changes smoothly


def test_a_mask_over_both_halves_is_as_like_to_each_as_its_area_says() -> None:
    # three cells of e0 (length 3) and one of e1 (length 0.5): pooled (9, 0.5) / 4
    found = similarity_map(two_halves(), Frame(SIZE_HW), block(464, 0, 528, 16))
    np.testing.assert_allclose(found[8, 8], 9 / np.hypot(9, 0.5), rtol=1e-5)
    np.testing.assert_allclose(found[8, 1000], 0.5 / np.hypot(9, 0.5), rtol=1e-5)


def test_padding_does_not_shine_through_at_the_edge() -> None:
    found = similarity_map(two_halves(), Frame(SIZE_HW), block(64, 64, 128, 128))
    np.testing.assert_allclose(found[-1, :500], 1.0, atol=1e-6)


@pytest.mark.parametrize("size_hw", [(720, 1280), (1280, 720), (300, 200)])
def test_the_map_has_the_size_of_the_image(size_hw: tuple[int, int]) -> None:
    mask = np.zeros(size_hw, dtype=bool)
    mask[100:140, 100:140] = True
    features = np.ones((4, GRID, GRID), dtype=np.float32)
    found = similarity_map(features, Frame(size_hw), Rle.encode(mask))
    assert found.shape == size_hw
    np.testing.assert_allclose(found, 1.0, atol=1e-6)


def test_cells_without_features_are_like_nothing() -> None:
    features = np.zeros((2, GRID, GRID), dtype=np.float32)
    features[0, :4, :4] = 1.0
    found = similarity_map(features, Frame(SIZE_HW), block(0, 0, 64, 64))
    assert found[200, 200] == 0.0
