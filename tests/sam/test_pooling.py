"""Area coverage and pooling in worlds of four cells: a 4 x 4 px image on a 2 x 2 grid, a cell is 2 x 2 px."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.sam.frame import Frame
from samdb.sam.pooling import box_coverage, coverage, pool

WORLD = Frame((4, 4), square=4)
#: two features per cell: the cell's number, and its square
CELLS = np.array([[[0, 1], [2, 3]], [[0, 1], [4, 9]]], dtype=np.float32)


def mask(*rows: str) -> Rle:
    """A mask drawn in text: `#` is set."""
    return Rle.encode(np.array([[c == "#" for c in row] for row in rows]))


def test_a_mask_weighs_on_each_cell_by_the_area_it_covers() -> None:
    # cell 0 whole, cell 1 a quarter, cell 2 half, cell 3 nothing
    drawn = mask("###.", "##..", "##..", "....")
    assert coverage(drawn, WORLD, 2).tolist() == [[1.0, 0.25], [0.5, 0.0]]


def test_pooling_is_the_mean_weighted_by_coverage() -> None:
    weights = coverage(mask("###.", "##..", "##..", "...."), WORLD, 2)
    # (1 x 0 + 0.25 x 1 + 0.5 x 2) / 1.75 and (1 x 0 + 0.25 x 1 + 0.5 x 4) / 1.75
    assert pool(CELLS, [weights])[0].tolist() == pytest.approx([1.25 / 1.75, 2.25 / 1.75])


def test_a_mask_smaller_than_a_cell_takes_the_cell_that_holds_it() -> None:
    weights = coverage(mask("....", "....", "....", "...#"), WORLD, 2)
    assert weights.tolist() == [[0.0, 0.0], [0.0, 0.25]]
    assert pool(CELLS, [weights])[0].tolist() == [3.0, 9.0]


def test_one_pixel_of_a_720p_frame_still_has_an_embedding() -> None:
    pixels = np.zeros((720, 1280), dtype=bool)
    pixels[719, 1279] = True
    weights = coverage(Rle.encode(pixels), Frame((720, 1280)), 64)
    # 0.8 px of the square on each side, and a cell is 16: the last cell of the frame's last row
    assert np.argwhere(weights > 0).tolist() == [[35, 63]]
    assert weights.sum() == pytest.approx(0.8**2 / 16**2, rel=1e-4)


def test_a_pixel_that_straddles_cells_is_split_between_them() -> None:
    # 3 px over 2 cells: the middle pixel lies half in each
    frame = Frame((3, 3), square=4)
    weights = coverage(mask(".#.", "...", "..."), frame, 2)
    # a pixel is 2/3 of a cell on each side: 1/3 + 1/3 across, 2/3 down
    assert weights == pytest.approx(np.array([[2 / 9, 2 / 9], [0.0, 0.0]]), abs=1e-6)


@pytest.mark.parametrize("size_hw", [(720, 1280), (1280, 720), (333, 517), (7, 5), (1, 900)])
def test_coverage_sums_to_the_masks_area_in_cells(size_hw: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random(size_hw) < 0.3
    frame = Frame(size_hw)
    px_per_cell = [size * 16 / side for size, side in zip(size_hw, frame.input_hw, strict=True)]
    weights = coverage(Rle.encode(pixels), frame, 64)
    assert weights.sum() == pytest.approx(pixels.sum() / (px_per_cell[0] * px_per_cell[1]), rel=1e-4)
    assert weights.min() >= 0
    assert weights.max() <= 1 + 1e-5


def test_cells_of_the_padding_are_never_covered() -> None:
    weights = coverage(Rle.encode(np.ones((720, 1280), dtype=bool)), Frame((720, 1280)), 64)
    assert weights[:36] == pytest.approx(np.ones((36, 64)), abs=1e-5)  # 576 / 16 rows hold the frame
    assert not weights[36:].any()


def test_a_mirrored_mask_covers_the_mirrored_cells() -> None:
    pixels = np.random.default_rng(1).random((64, 64)) < 0.5
    frame = Frame((64, 64))
    straight, mirrored = (coverage(Rle.encode(p), frame, 64) for p in (pixels, pixels[:, ::-1]))
    assert mirrored == pytest.approx(straight[:, ::-1], abs=1e-6)


def test_the_same_features_everywhere_come_out_whatever_the_mask() -> None:
    features = np.full((3, 2, 2), 7.0, dtype=np.float32)
    drawn = [mask("#...", "....", "....", "...."), mask("####", "####", "####", "####")]
    rows = pool(features, [coverage(m, WORLD, 2) for m in drawn])
    assert rows == pytest.approx(np.full((2, 3), 7.0))


def test_a_box_covers_every_pixel_that_it_touches() -> None:
    assert box_coverage((0.0, 0.0, 2.0, 4.0), WORLD, 2).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    # 0.5..2.5 touches columns 0, 1 and 2
    assert box_coverage((0.5, 0.0, 2.5, 2.0), WORLD, 2).tolist() == [[1.0, 0.5], [0.0, 0.0]]


def test_a_box_thinner_than_a_pixel_covers_one() -> None:
    thin: NDArray[np.float32] = box_coverage((3.0, 3.0, 3.0, 3.0), WORLD, 2)
    assert thin.tolist() == [[0.0, 0.0], [0.0, 0.25]]


@pytest.mark.parametrize("size_hw", [(720, 1280), (333, 517), (3, 900), (900, 3)])
@pytest.mark.parametrize("share", [0.002, 0.4, 0.99, 1.0])
def test_coverage_without_drawing_is_that_of_the_drawn_mask(size_hw: tuple[int, int], share: float) -> None:
    pixels = np.random.default_rng(2).random(size_hw) < share
    frame = Frame(size_hw)
    shares = []
    for axis, size in enumerate(size_hw):  # of each cell (64, size), what each pixel covers
        edges = np.arange(size + 1) * (frame.input_hw[axis] / size * 64 / 1024)
        cell = np.arange(64)[:, None]
        shares.append(np.clip(np.minimum(edges[1:], cell + 1) - np.maximum(edges[:-1], cell), 0, None))
    wanted = shares[0] @ pixels @ shares[1].T
    assert coverage(Rle.encode(pixels), frame, 64) == pytest.approx(wanted, abs=1e-6)
