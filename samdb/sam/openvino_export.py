"""OpenVINO: imported so that it reports to nobody, and given the encoder in its own form."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from samdb.sam.networks import INPUT_SIZE, Networks

if TYPE_CHECKING:
    import openvino

#: raise it when the exported form changes: caches of another form are not read
FORMAT = 1
#: side in px of the input that a model is traced with, where any will do
_TRACED_AT = {"vit_t": 256}
_TELEMETRY = "openvino_telemetry"


def import_openvino() -> Any:
    """The package `openvino`, whose import alone would otherwise write into the home folder and send an event
    to its maker. Without the telemetry package it takes its own stub, for good in this process.

    Raises what the import raises when it is missing or broken (ImportError, OSError, RuntimeError).
    """
    if "openvino" not in sys.modules:
        with _hidden(_TELEMETRY):
            import openvino
    import openvino

    return openvino


def export(networks: Networks) -> openvino.Model:
    """The encoder of fp32 networks on the CPU as an OpenVINO model of one input (B, 3, H, W) and two outputs,
    neck and backbone, with the channels last (B, G, G, C): as they lie in memory, so that nothing is moved at
    the end.

    Sizes stay open where the network leaves them open: TinyViT reads any, and is traced with a small one.
    """
    ov = import_openvino()
    side = _TRACED_AT.get(networks.model, INPUT_SIZE)
    with torch.inference_mode(), warnings.catch_warnings():
        # the tracer warns of Python numbers, which are meant to be constants here, and of its own age
        warnings.simplefilter("ignore")
        # traced here, not by OpenVINO, which has it checked by two more passes: 4 s instead of 13
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            _ChannelsLast(networks.encoder).eval(), torch.zeros(1, 3, side, side), check_trace=False
        )
        model: openvino.Model = ov.convert_model(traced)
    return model


class _ChannelsLast(nn.Module):
    """The encoder with its outputs' channels last."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> (neck (B, G, G, 256), backbone (B, G, G, C))."""
        neck, backbone = self.encoder(x)
        return neck.permute(0, 2, 3, 1), backbone.permute(0, 2, 3, 1)


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """While it lasts, importing `package` fails as if it were not installed."""
    held = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == package}
    sys.modules[package] = None  # type: ignore[assignment]  # Python's own sign for "not to be imported"
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(held)
