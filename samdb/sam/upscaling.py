"""The last step of SAM's decoder: image tokens of each prompt, upscaled fourfold, to mask logits."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Upscaling:
    """The decoder's two transposed convolutions as plain products.

    With kernel 2 and stride 2 every cell becomes a block of 2 x 2 on its own, so that a transposed
    convolution is a product of the tokens as they lie, and only the finished logits are put in image order.
    """

    def __init__(self, upscaling: Any, dtype: torch.dtype) -> None:
        """`upscaling`: segment-anything's `output_upscaling`, convolution, norm, GELU, convolution, GELU."""
        first, norm, _, second, _ = upscaling
        self._first, self._first_bias = _as_product(first, dtype)
        self._second, self._second_bias = _as_product(second, dtype)
        self._norm = (norm.weight.detach().to(dtype), norm.bias.detach().to(dtype), float(norm.eps))

    def __call__(self, cells: Tensor, weights: Tensor, outputs: Tensor) -> Tensor:
        """Logits (N, 4 x R, 4 x C) of the chosen `outputs` (P, 4) bool, in row-major order.

        `cells` (P, R, C, 256) are the image tokens, `weights` (P, 4, 32) what the hypernetworks make of the
        mask tokens.
        """
        n, rows, columns, channels = cells.shape
        # as plain rows: F.linear takes nine times as long on a window of the image tokens
        x = F.linear(cells.reshape(-1, channels), self._first, self._first_bias)
        gain, shift, eps = self._norm
        x = F.gelu(F.layer_norm(x.view(-1, len(gain)), gain.shape, gain, shift, eps))
        x = F.gelu(F.linear(x, self._second, self._second_bias))
        x = x.view(n, rows * columns * 16, -1)
        logits = (weights.to(x.dtype) @ x.transpose(1, 2))[outputs]
        # a cell's 4 x 4 px lie together: (row, column, dy, dx, ddy, ddx), dy and ddy from the two steps
        blocks = logits.view(-1, rows, columns, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
        return blocks.reshape(-1, 4 * rows, 4 * columns)


def _as_product(convolution: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A transposed convolution with kernel and stride 2 as a matrix (4 x out, in) and a bias (4 x out,)."""
    weight = convolution.weight.detach().permute(2, 3, 1, 0).flatten(0, 2).to(dtype)
    return weight.contiguous(), convolution.bias.detach().repeat(4).to(dtype)
