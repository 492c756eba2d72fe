"""The image encoder behind one small interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from samdb.sam.device import Compute
from samdb.sam.networks import Networks


@dataclass(frozen=True, slots=True)
class Features:
    """What the encoder makes of a batch: `neck` (B, 256, G, G), which the decoder reads, and `backbone`
    (B, C, G, G), the features before it; float32, on the compute device.
    """

    neck: Tensor
    backbone: Tensor


class ImageEncoder(Protocol):
    """A runtime for the encoder; every one is held to the goldens."""

    @property
    def name(self) -> str:
        """The runtime and its precision, such as `torch-bf16`; part of the model's fingerprint."""

    def __call__(self, inputs: Sequence[Tensor]) -> Features:
        """Encode network inputs, each (1, 3, S, S) float32, in one batch."""


class TorchEncoder:
    """Eager torch, channels last (a third faster on CPUs than torch's default layout)."""

    def __init__(self, networks: Networks, compute: Compute) -> None:
        self._compute = compute
        network = networks.encoder.to(device=compute.device, dtype=compute.dtype)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name = f"torch-{compute.precision}"

    def __call__(self, inputs: Sequence[Tensor]) -> Features:
        """Encode network inputs, each (1, 3, S, S) float32, in one batch."""
        batch = torch.cat(list(inputs)).to(
            device=self._compute.device, dtype=self._compute.dtype, memory_format=torch.channels_last
        )
        neck, backbone = self._network(batch)
        return Features(neck.float(), backbone.float())
