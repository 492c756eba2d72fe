"""A mask as one polygon: exact where it must be, close where it may be simpler."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samdb.core.masks import Rle, mask_iou
from samdb.core.polygons import MIN_IOU, joined_polygon
from samdb.core.rings import outline_rings


def even_odd(rings: list[NDArray[np.float64]], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Rings filled by the even-odd rule, asked at the middle of every pixel."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    inside = np.zeros(size_hw, dtype=bool)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if x0 == x1:  # a ray to the left crosses the vertical edges
                inside ^= (x0 < x) & (min(y0, y1) < y) & (y < max(y0, y1))
    return inside


def blob(seed: int, size_hw: tuple[int, int] = (90, 120)) -> NDArray[np.bool_]:
    """A smooth shape with holes and pieces: noise, blurred and cut."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (9, 12)).astype(np.uint8))
    return np.asarray(small.resize((size_hw[1], size_hw[0]), Image.Resampling.BICUBIC)) > 140


def test_a_square_is_its_four_corners() -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[2:5, 3:7] = True
    (ring,) = outline_rings(mask)
    assert {(int(x), int(y)) for x, y in ring} == {(3, 2), (7, 2), (7, 5), (3, 5)}
    assert len(joined_polygon(Rle.encode(mask))) == 8


@pytest.mark.parametrize("seed", range(6))
def test_rings_filled_by_the_even_odd_rule_are_the_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # of noise, every pixel touches others at corners only
    mask = rng.random((11, 13)) > 0.5
    assert np.array_equal(even_odd(outline_rings(mask), (11, 13)), mask)


@pytest.mark.parametrize("diagonal", [np.eye(2), np.eye(2)[::-1]])
def test_pixels_that_touch_at_a_corner_are_pieces_of_their_own(diagonal: NDArray[np.float64]) -> None:
    rings = outline_rings(diagonal.astype(bool))
    assert sorted(len(ring) for ring in rings) == [4, 4]


@pytest.mark.parametrize("seed", range(12))
def test_a_joined_polygon_is_the_mask_to_the_promised_iou_with_its_holes_and_pieces(seed: int) -> None:
    mask = Rle.encode(blob(seed))
    polygon = joined_polygon(mask)
    drawn = Rle.from_polygons([polygon], mask.size_hw)
    assert mask_iou([drawn], [mask])[0, 0] >= MIN_IOU
    xs, ys = np.array(polygon[0::2]), np.array(polygon[1::2])
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == mask.box_xyxy
    # another painter, with another rule for pixels on the line
    canvas = Image.new("1", (mask.size_hw[1], mask.size_hw[0]))
    ImageDraw.Draw(canvas).polygon(polygon, fill=1)
    assert mask_iou([Rle.encode(np.asarray(canvas))], [mask])[0, 0] >= 0.85


def test_noise_that_no_simple_line_follows_is_kept_exactly() -> None:
    mask = Rle.encode(np.random.default_rng(0).random((20, 20)) > 0.5)
    drawn = Rle.from_polygons([joined_polygon(mask)], mask.size_hw)
    assert mask_iou([drawn], [mask])[0, 0] >= MIN_IOU


def test_a_smooth_outline_needs_few_points() -> None:
    y, x = np.mgrid[:300, :300]
    disc = Rle.encode((x - 150) ** 2 + (y - 150) ** 2 < 120**2)
    polygon = joined_polygon(disc)
    assert len(polygon) < 160
    assert mask_iou([Rle.from_polygons([polygon], disc.size_hw)], [disc])[0, 0] > 0.98


def test_an_empty_mask_has_no_outline() -> None:
    with pytest.raises(ValueError, match="empty mask"):
        joined_polygon(Rle.encode(np.zeros((4, 4), dtype=bool)))
