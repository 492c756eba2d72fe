"""Networks whose encoder is a few convolutions: exported and compiled in a moment."""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samdb.sam.networks import Networks, build_networks


class SmallEncoder(nn.Module):
    """Any size (B, 3, S, S) to neck (B, 256, S/16, S/16) and backbone (B, 320, S/16, S/16)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 320, 16, 16)
        self.neck = nn.Conv2d(320, 256, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(neck, backbone)."""
        backbone = self.embed(x)
        return self.neck(F.gelu(backbone)), backbone


def small_networks(seed: int = 0) -> Networks:
    """Networks called `vit_t` with a small encoder of seeded weights."""
    torch.manual_seed(seed)
    encoder = SmallEncoder().eval().requires_grad_(False)
    return dataclasses.replace(build_networks("vit_t"), encoder=encoder)


def inputs(n: int, height: int = 256, width: int | None = None) -> list[Tensor]:
    """Random network inputs (1, 3, H, W); square unless `width` is given."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 3, height, width or height, generator=generator) for _ in range(n)]
