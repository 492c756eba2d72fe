"""TinyViT-5M, the image encoder of MobileSAM, written for inference.

Batch norms are folded into their convolutions when the weights are loaded, so every convolution here is a
plain one. Source: Wu et al., "TinyViT" (ECCV 2022); Zhang et al., "Faster Segment Anything" (2023); weights
and layout of the official `mobile_sam.pt`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samdb.sam.tokens import from_windows, to_image, to_tokens, to_windows

EMBED_DIMS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (2, 4, 5, 10)
WINDOWS = (7, 7, 14, 7)
# the last merge keeps the stride, so that the features end at 1/16 of the input as SAM's decoder expects
MERGE_STRIDES = (2, 2, 1)
NECK_DIM = 256
_BATCHNORM_EPS = 1e-5


def _depthwise(dim: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(dim, dim, 3, stride, 1, groups=dim)


class MbConv(nn.Module):
    """Inverted residual bottleneck: 1x1 expand, 3x3 depthwise, 1x1 project."""

    def __init__(self, dim: int, expand: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim * expand, 1)
        self.conv2 = _depthwise(dim * expand)
        self.conv3 = nn.Conv2d(dim * expand, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(y))


class PatchMerging(nn.Module):
    """Change the width and, with stride 2, halve the resolution."""

    def __init__(self, dim: int, out_dim: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, out_dim, 1)
        self.conv2 = _depthwise(out_dim, stride)
        self.conv3 = nn.Conv2d(out_dim, out_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/stride, W/stride)."""
        merged: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))
        return merged


class WindowAttention(nn.Module):
    """Self-attention in a square window with a learned bias per |offset|."""

    offsets: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        row = torch.arange(window)
        y, x = (g.flatten() for g in torch.meshgrid(row, row, indexing="ij"))
        offsets = (y[:, None] - y[None, :]).abs() * window + (x[:, None] - x[None, :]).abs()
        self.register_buffer("offsets", offsets, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of windows (B, N, C) -> (B, N, C)."""
        b, n, c = x.shape
        # the checkpoint keeps q, k and v of one head side by side
        q, k, v = self.qkv(self.norm(x)).view(b, n, self.heads, 3, c // self.heads).permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self.offsets].to(q.dtype)
        # one bias for all windows: expanded, OpenVINO would store it once per window
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        out: Tensor = self.proj(y.transpose(1, 2).reshape(b, n, c))
        return out


class Mlp(nn.Module):
    """Pre-norm two-layer perceptron of a transformer block."""

    def __init__(self, dim: int, ratio: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, dim * ratio)
        self.fc2 = nn.Linear(dim * ratio, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        out: Tensor = self.fc2(F.gelu(self.fc1(self.norm(x))))
        return out


class WindowBlock(nn.Module):
    """Windowed attention, a depthwise 3x3 convolution, then the perceptron."""

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(dim, heads, window)
        self.local_conv = _depthwise(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        b, h, w, c = x.shape
        # added row by row: tokens cut from windows would have to be copied first
        rows = x.reshape(b, h, w * c) + self._attend(x).reshape(b, h, w * c)
        tokens = rows.view(b, h * w, c)
        tokens = to_tokens(self.local_conv(to_image(tokens, h, w)))
        out: Tensor = tokens + self.mlp(tokens)
        return out.view(b, h, w, c)

    def _attend(self, x: Tensor) -> Tensor:
        _, h, w, _ = x.shape
        # padded with zeros, as the reference pads; they take part in the attention there too
        return from_windows(self.attn(to_windows(x, self.window)), self.window, (h, w))


class ConvStage(nn.Module):
    """The first stage: bottlenecks on the full-width image, then a merge."""

    def __init__(self, dim: int, depth: int, out_dim: int, stride: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(MbConv(dim) for _ in range(depth))
        self.downsample = PatchMerging(dim, out_dim, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H/stride, W/stride)."""
        for block in self.blocks:
            x = block(x)
        merged: Tensor = self.downsample(x)
        return merged


class WindowStage(nn.Module):
    """Window blocks and, except in the last stage, a merge."""

    def __init__(self, blocks: Sequence[WindowBlock], downsample: PatchMerging | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        b, c, h, w = x.shape
        x = to_tokens(x).reshape(b, h, w, c)
        for block in self.blocks:
            x = block(x)
        x = to_image(x.reshape(b, h * w, c), h, w)
        return x if self.downsample is None else self.downsample(x)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        y = F.layer_norm(to_tokens(x), self.weight.shape, self.weight, self.bias, 1e-6)
        return to_image(y, x.shape[2], x.shape[3])


class TinyViT(nn.Module):
    """MobileSAM's image encoder: (B, 3, S, S) normalised RGB -> features at 1/16."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Sequential(
            nn.Conv2d(3, EMBED_DIMS[0] // 2, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(EMBED_DIMS[0] // 2, EMBED_DIMS[0], 3, 2, 1),
        )
        stages: list[nn.Module] = [ConvStage(EMBED_DIMS[0], DEPTHS[0], EMBED_DIMS[1], MERGE_STRIDES[0])]
        for i in (1, 2, 3):
            blocks = [WindowBlock(EMBED_DIMS[i], HEADS[i], WINDOWS[i]) for _ in range(DEPTHS[i])]
            merge = PatchMerging(EMBED_DIMS[i], EMBED_DIMS[i + 1], MERGE_STRIDES[i]) if i < 3 else None
            stages.append(WindowStage(blocks, merge))
        self.layers = nn.ModuleList(stages)
        self.neck = nn.Sequential(
            nn.Conv2d(EMBED_DIMS[3], NECK_DIM, 1, bias=False),
            ChannelNorm(NECK_DIM),
            nn.Conv2d(NECK_DIM, NECK_DIM, 3, padding=1, bias=False),
            ChannelNorm(NECK_DIM),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (neck (B, 256, S/16, S/16), backbone (B, 320, S/16, S/16)).

        `backbone` is the INPUT of the last stage: of all inner features it separates classes best (README,
        "Recipes").
        """
        x = self.patch_embed(x)
        for stage in self.layers[:-1]:
            x = stage(x)
        return self.neck(self.layers[-1](x)), x


def fold_batchnorm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Turn the official checkpoint's encoder weights into those of `TinyViT`.

    Every `<name>.c` convolution with its `<name>.bn` becomes one convolution with a bias; the ImageNet head,
    which SAM does not use, is dropped.
    """
    folded: dict[str, Tensor] = {}
    for key, value in state.items():
        if key.startswith(("head.", "norm_head.")) or ".bn." in key or key.endswith("attention_bias_idxs"):
            continue
        if not key.endswith(".c.weight"):
            folded[key] = value
            continue
        name = key.removesuffix(".c.weight")
        gamma, beta = state[f"{name}.bn.weight"], state[f"{name}.bn.bias"]
        mean, var = state[f"{name}.bn.running_mean"], state[f"{name}.bn.running_var"]
        scale = gamma / torch.sqrt(var + _BATCHNORM_EPS)
        target = name.replace("patch_embed.seq.", "patch_embed.")
        folded[f"{target}.weight"] = value * scale[:, None, None, None]
        folded[f"{target}.bias"] = beta - mean * scale
    return folded
