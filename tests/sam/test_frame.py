"""Scaling into the input square and back, against what the stock predictor does in two steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from samdb.sam.frame import Frame

#: landscape, portrait, square, tiny, very wide, taller than the square
SIZES = [(720, 1280), (1280, 720), (512, 512), (7, 5), (40, 2000), (3000, 900)]


def blobs(seed: int) -> Tensor:
    """Smooth random logits (256, 256): mostly -20, with a few hills above 0, one of them in the first row."""
    coarse = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 20 - 20
    coarse[..., 0, 2] = 30
    return F.interpolate(coarse, (256, 256), mode="bicubic", align_corners=False)[0, 0]


def stock_upscale(frame: Frame, low_res: Tensor) -> Tensor:
    """Both interpolations of `segment_anything.modeling.Sam.postprocess_masks`."""
    height, width = frame.input_hw
    square = F.interpolate(low_res[None, None], (1024, 1024), mode="bilinear", align_corners=False)
    cut = square[..., :height, :width]
    return F.interpolate(cut, frame.size_hw, mode="bilinear", align_corners=False)[0, 0]


@pytest.mark.parametrize(
    ("size_hw", "input_hw"),
    [
        ((720, 1280), (576, 1024)),
        ((1280, 720), (1024, 576)),
        ((512, 512), (1024, 1024)),
        ((1024, 1024), (1024, 1024)),
        ((7, 5), (1024, 731)),  # 5 x 1024 / 7 = 731.43
        ((2, 3), (683, 1024)),  # 2 x 1024 / 3 = 682.67
        ((40, 2000), (20, 1024)),  # 20.48
        ((1, 1), (1024, 1024)),
    ],
)
def test_the_longest_side_fills_the_square_and_the_other_is_rounded(
    size_hw: tuple[int, int], input_hw: tuple[int, int]
) -> None:
    assert Frame(size_hw).input_hw == input_hw


def test_a_side_thinner_than_a_pixel_of_the_square_is_one_pixel() -> None:
    assert Frame((1, 5000)).input_hw == (1, 1024)
    assert Frame((5000, 2)).input_hw == (1024, 1)


def test_points_go_where_their_pixels_go() -> None:
    frame = Frame((720, 1280))
    corners = np.array([[0.0, 0.0], [1280.0, 720.0], [640.0, 360.0]])
    scaled = frame.to_input(corners)
    assert scaled.dtype == np.float32
    assert scaled.tolist() == [[0.0, 0.0], [1024.0, 576.0], [512.0, 288.0]]


def test_points_scale_by_the_rounded_side_as_in_stock() -> None:
    assert Frame((7, 5)).to_input(np.array([[5.0, 7.0]])).tolist() == [[731.0, 1024.0]]


def test_points_keep_their_shape() -> None:
    assert Frame((720, 1280)).to_input(np.zeros((3, 2, 2))).shape == (3, 2, 2)


def test_the_network_input_is_normalised_and_padded_below_and_to_the_right() -> None:
    grey = np.full((720, 1280, 3), 128, dtype=np.uint8)
    x = Frame((720, 1280)).tensor(grey)
    assert x.shape == (1, 3, 1024, 1024)
    assert x.dtype == torch.float32
    expected = [(128 - 123.675) / 58.395, (128 - 116.28) / 57.12, (128 - 103.53) / 57.375]
    assert x[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)
    assert bool((x[0, :, :576] == x[0, :, :1, :1]).all())
    assert not x[0, :, 576:].any()


def test_a_portrait_image_is_padded_to_the_right() -> None:
    x = Frame((1280, 720)).tensor(np.full((1280, 720, 3), 255, dtype=np.uint8))
    assert bool((x[0, :, :, :576] > 0).all())
    assert not x[0, :, :, 576:].any()


def test_channels_stay_red_green_blue() -> None:
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    x = Frame((4, 4)).tensor(red)
    assert x[0, :, 5, 5].tolist() == pytest.approx(
        [(255 - 123.675) / 58.395, -116.28 / 57.12, -103.53 / 57.375], abs=1e-5
    )


@pytest.mark.parametrize("size_hw", SIZES)
def test_the_upscaled_window_equals_both_stock_interpolations(size_hw: tuple[int, int]) -> None:
    frame = Frame(size_hw)
    for seed in range(4):
        low_res, floor = blobs(seed), -1.0
        expected = stock_upscale(frame, low_res)
        window, (y, x) = frame.upscale(low_res, floor)
        height, width = window.shape
        assert window.numel() > 0
        assert float((window - expected[y : y + height, x : x + width]).abs().max()) <= 1e-4
        outside = expected.clone()
        outside[y : y + height, x : x + width] = floor
        assert float(outside.max()) <= floor + 1e-4


def test_the_window_is_small_where_the_hill_is_small() -> None:
    low_res = torch.full((256, 256), -20.0)
    low_res[40:44, 100:110] = 20.0
    window, (y, x) = Frame((1024, 1024)).upscale(low_res, -1.0)
    # a cell is 4 px and bilinear weights reach at most one cell further
    assert 4 * 39 <= y < 4 * 40
    assert 4 * 99 <= x < 4 * 100
    assert window.shape[0] <= 4 * 6
    assert window.shape[1] <= 4 * 12


def test_nothing_above_the_floor_gives_an_empty_window() -> None:
    window, corner = Frame((720, 1280)).upscale(torch.full((256, 256), -5.0), -1.0)
    assert window.numel() == 0
    assert corner == (0, 0)


def test_a_hill_in_the_padding_is_not_in_the_image() -> None:
    low_res = torch.full((256, 256), -5.0)
    low_res[200:, :] = 5.0  # a 720p frame ends at row 144 of 256
    window, _ = Frame((720, 1280)).upscale(low_res, -1.0)
    assert window.numel() == 0


def test_bfloat16_logits_are_upscaled_in_float32() -> None:
    window, _ = Frame((720, 1280)).upscale(blobs(0).to(torch.bfloat16), -1.0)
    assert window.dtype == torch.float32
