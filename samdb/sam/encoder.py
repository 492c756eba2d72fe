"""The image encoder behind one small interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from samdb.errors import ConfigError
from samdb.sam.device import Compute
from samdb.sam.networks import INPUT_SIZE, Networks


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
        """The runtime and its precision, such as `torch-bf16`."""

    def __call__(self, inputs: Sequence[Tensor]) -> Features:
        """Encode network inputs, each (1, 3, S, S) float32, all of one size."""


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


class CompiledTorchEncoder(TorchEncoder):
    """Torch, compiled for the full square at once (a minute or more) and for other sizes as they come.

    Raises ConfigError where torch cannot compile: it needs a C++ compiler on a CPU, Triton on a GPU.
    """

    def __init__(self, networks: Networks, compute: Compute) -> None:
        super().__init__(networks, compute)
        self.name = f"compile-{compute.precision}"
        eager = self._network
        try:
            self._network = torch.compile(eager)
            with torch.inference_mode():
                self([torch.zeros(1, 3, INPUT_SIZE, INPUT_SIZE)])
        except Exception as exc:  # what a compiler's failure raises is nowhere promised
            said = f"{type(exc).__name__}: {exc}".strip().splitlines()[0]
            raise ConfigError(f"torch cannot compile the encoder here ({said}): use --runtime torch") from exc
