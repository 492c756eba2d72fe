"""The layouts of a feature map: as an image for convolutions, as tokens and windows of tokens for attention.

All of them keep the channels last in memory, so that on a CPU only windows move anything.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def to_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H * W, C), a view when the channels lie last in memory.

    OpenVINO too moves nothing for a transposition of three dimensions beside a convolution; for the same one
    of four it moves every pixel (a fifth of TinyViT's time: 0.18 against 0.14 s in bf16 on two cores).
    """
    return x.flatten(2).transpose(1, 2)


def to_image(tokens: Tensor, height: int, width: int) -> Tensor:
    """(B, H * W, C) -> (B, C, H, W): `to_tokens` undone."""
    b, _, c = tokens.shape
    return tokens.transpose(1, 2).reshape(b, c, height, width)


def to_windows(x: Tensor, side: int) -> Tensor:
    """(B, H, W, C) -> square windows (B * N, side * side, C), row by row.

    Where the windows reach over the edge there are zeros below and to the right.
    """
    b, h, w, c = x.shape
    rows, cols = -(-h // side), -(-w // side)
    x = F.pad(x.reshape(b, h, w * c), (0, (cols * side - w) * c, 0, rows * side - h))
    # a window's row of pixels moves as one run of side * c numbers
    x = x.view(b, rows, side, cols, side * c).transpose(2, 3)
    return x.reshape(b * rows * cols, side * side, c)


def from_windows(windows: Tensor, side: int, size_hw: tuple[int, int]) -> Tensor:
    """Windows (B * N, side * side, C) -> (B, H, W, C): `to_windows` undone, cut at the edge."""
    h, w = size_hw
    n, _, c = windows.shape
    rows, cols = -(-h // side), -(-w // side)
    b = n // (rows * cols)
    x = windows.view(b, rows, cols, side, side * c).transpose(2, 3).reshape(b, rows * side, cols * side * c)
    return x[:, :h, : w * c].reshape(b, h, w, c)
