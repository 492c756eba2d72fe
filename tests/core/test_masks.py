"""Masks on a board of 4 x 5 pixels, small enough to count by eye."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.masks import Rle, mask_containment, mask_iou, mask_union


def board(*rows: str) -> NDArray[np.bool_]:
    """A mask drawn in text: `#` is set."""
    return np.array([[c == "#" for c in row] for row in rows])


BLOCK = board(
    ".....",
    ".###.",
    ".###.",
    ".....",
)


def test_a_mask_survives_the_round_trip() -> None:
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (4, 5), (37, 1), (1, 53), (123, 77)]:
        mask = rng.random(shape) < 0.4
        assert (Rle.encode(mask).decode() == mask).all()


def test_area_and_tight_box_are_read_from_the_runs() -> None:
    rle = Rle.encode(BLOCK)
    assert rle.size_hw == (4, 5)
    assert rle.area_px == 6
    assert rle.box_xyxy == (1.0, 1.0, 4.0, 3.0)


def test_an_empty_mask_has_no_area_and_a_box_of_zeros() -> None:
    rle = Rle.encode(np.zeros((4, 5), dtype=bool))
    assert rle.area_px == 0
    assert rle.box_xyxy == (0.0, 0.0, 0.0, 0.0)
    assert not rle.decode().any()


def test_a_full_mask_has_the_box_of_the_image() -> None:
    assert Rle.encode(np.ones((4, 5), dtype=bool)).box_xyxy == (0.0, 0.0, 5.0, 4.0)


def test_only_a_flat_mask_can_be_encoded() -> None:
    with pytest.raises(ValueError, match=r"must be \(H, W\)"):
        Rle.encode(np.zeros((1, 4, 5), dtype=bool))


def test_uncompressed_counts_run_down_the_columns() -> None:
    # column 0 holds 4 unset and column 1 one more, then 2 set, 2 unset, 2 set, 2 unset, 2 set, 5 unset
    assert Rle.from_coco([5, 2, 2, 2, 2, 2, 5], (4, 5)) == Rle.encode(BLOCK)


def test_compressed_counts_are_taken_as_they_are() -> None:
    rle = Rle.encode(BLOCK)
    assert Rle.from_coco(rle.counts, (4, 5)) == rle


def test_a_polygon_fills_the_pixels_between_its_corners() -> None:
    assert (Rle.from_polygons([[1, 1, 4, 1, 4, 3, 1, 3]], (4, 5)).decode() == BLOCK).all()


def test_several_polygons_are_one_mask() -> None:
    two = Rle.from_polygons([[0, 0, 2, 0, 2, 2, 0, 2], [3, 2, 5, 2, 5, 4, 3, 4]], (4, 5)).decode()
    assert (two == board("##...", "##...", "...##", "...##")).all()


def test_overlapping_polygons_count_their_pixels_once() -> None:
    square: list[float] = [0, 0, 2, 0, 2, 2, 0, 2]
    assert Rle.from_polygons([square, square], (4, 5)).area_px == 4


def test_iou_and_containment_by_hand() -> None:
    left = Rle.encode(board("##...", "##...", ".....", "....."))  # 4 px
    middle = Rle.encode(board(".##..", ".##..", ".##..", "....."))  # 6 px, 2 shared with left
    apart = Rle.encode(board(".....", ".....", ".....", "...##"))
    assert mask_iou([left], [left, middle, apart])[0] == pytest.approx([1.0, 2 / 8, 0.0])
    assert mask_containment([left], [left, middle, apart])[0] == pytest.approx([1.0, 2 / 4, 0.0])
    assert mask_containment([middle], [left])[0] == pytest.approx([2 / 6])


def test_a_part_lies_wholly_in_its_whole_but_not_the_other_way_round() -> None:
    whole = Rle.encode(BLOCK)
    part = Rle.encode(board(".....", ".#...", ".#...", "....."))
    assert mask_containment([part], [whole])[0, 0] == 1.0
    assert mask_containment([whole], [part])[0, 0] == pytest.approx(2 / 6)


def test_comparing_with_no_masks_gives_an_empty_table() -> None:
    one = Rle.encode(BLOCK)
    assert mask_iou([one], []).shape == (1, 0)
    assert mask_containment([], [one]).shape == (0, 1)


def test_the_union_has_every_pixel_once() -> None:
    left = Rle.encode(board("##...", "##...", ".....", "....."))
    middle = Rle.encode(board(".##..", ".##..", ".##..", "....."))
    united = board("###..", "###..", ".##..", ".....")
    assert mask_union([left, middle]) == Rle.encode(united)
    assert mask_union([left]) == left


def test_only_masks_of_one_image_can_be_united() -> None:
    with pytest.raises(ValueError, match="of one image, and at least one"):
        mask_union([Rle.encode(BLOCK), Rle.encode(BLOCK.T)])
    with pytest.raises(ValueError, match="at least one"):
        mask_union([])


def test_a_window_encodes_to_the_very_bytes_of_its_whole_image() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        height, width = (int(v) for v in rng.integers(1, 12, 2))
        h, w = int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1))
        y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
        window = rng.random((h, w)) < rng.choice([0.0, 0.2, 0.5, 0.9, 1.0])
        whole = np.zeros((height, width), dtype=bool)
        whole[y : y + h, x : x + w] = window
        assert Rle.of_window(window, (y, x), (height, width)) == Rle.encode(whole)
