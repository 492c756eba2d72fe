"""Masks from logits, in an image of 256 x 256 px whose logits are the low-resolution ones themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from samdb.sam.drawing import DrawnMask, draw_mask
from samdb.sam.frame import Frame

#: both interpolations are the identity here, so that every pixel can be counted by hand
IDENTITY = Frame((256, 256), square=256)


def plain(value: float = -5.0) -> Tensor:
    """Logits of one value everywhere."""
    return torch.full((256, 256), value)


def test_a_block_of_logits_becomes_a_block_of_pixels() -> None:
    logits = plain()
    logits[10:20, 30:50] = 5.0
    drawn = draw_mask(IDENTITY, logits)
    assert drawn is not None
    assert drawn.box_xyxy == (30.0, 10.0, 50.0, 20.0)
    assert drawn.area_px == 200
    assert drawn.stability_score == 1.0
    assert drawn.pixels.shape == (10, 20)


def test_stability_is_the_iou_of_the_masks_one_logit_above_and_below() -> None:
    logits = plain()
    logits[10:20, 10:20] = 5.0  # 100 px in both masks
    logits[20:25, 10:20] = 0.5  # 50 px set, gone one logit higher
    logits[25:30, 10:20] = -0.5  # 50 px unset, there one logit lower
    drawn = draw_mask(IDENTITY, logits)
    assert drawn is not None
    assert drawn.area_px == 150
    assert drawn.stability_score == pytest.approx(100 / 200)


def test_a_logit_of_exactly_zero_is_not_in_the_mask() -> None:
    logits = plain(0.0)
    assert draw_mask(IDENTITY, logits) is None
    logits[7, 9] = 0.001
    drawn = draw_mask(IDENTITY, logits)
    assert drawn is not None
    assert drawn.box_xyxy == (9.0, 7.0, 10.0, 8.0)


def test_a_mask_without_a_pixel_is_none_and_not_nan() -> None:
    assert draw_mask(IDENTITY, plain()) is None
    # above the lower cut of the stability score, but nowhere above the threshold
    assert draw_mask(IDENTITY, plain(-0.5)) is None


def test_a_mask_only_in_the_padding_is_none() -> None:
    logits = plain()
    logits[200:] = 5.0
    assert draw_mask(Frame((720, 1280)), logits) is None


def test_the_mask_of_the_whole_image_keeps_its_place() -> None:
    pixels = np.array([[True, False], [True, True]])
    rle = DrawnMask(pixels, (1, 2), 1.0).rle((4, 5))
    canvas = np.zeros((4, 5), dtype=bool)
    canvas[1, 2] = canvas[2, 2] = canvas[2, 3] = True
    assert rle.size_hw == (4, 5)
    assert (rle.decode() == canvas).all()


def test_a_mask_can_be_moved_from_a_crop_into_its_image() -> None:
    mask = DrawnMask(np.ones((2, 3), dtype=bool), (4, 5), 0.9)
    moved = mask.moved(dy=10, dx=100)
    assert moved.box_xyxy == (105.0, 14.0, 108.0, 16.0)
    assert (moved.area_px, moved.stability_score) == (6, 0.9)


def test_the_stability_score_is_that_of_the_stock_function() -> None:
    from segment_anything.utils.amg import calculate_stability_score

    generator = torch.Generator().manual_seed(5)
    for _ in range(5):
        logits = torch.randn(256, 256, generator=generator) * 3
        drawn = draw_mask(IDENTITY, logits)
        assert drawn is not None
        expected = float(calculate_stability_score(logits[None], 0.0, 1.0)[0])
        assert drawn.stability_score == pytest.approx(expected, abs=1e-6)
