"""The encoder's runtime: batches, types and its name."""

from __future__ import annotations

import pytest
import torch

from samdb.sam.device import Compute
from samdb.sam.encoder import TorchEncoder
from samdb.sam.networks import build_networks


def inputs(n: int, side: int = 256) -> list[torch.Tensor]:
    """Random network inputs."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(1, 3, side, side, generator=generator) for _ in range(n)]


@torch.inference_mode()
def test_a_batch_gives_what_its_images_give_one_by_one() -> None:
    torch.manual_seed(0)
    encoder = TorchEncoder(build_networks("vit_t"), Compute("cpu", "fp32"))
    together = encoder(inputs(3))
    assert together.neck.shape == (3, 256, 16, 16)
    assert together.backbone.shape == (3, 320, 16, 16)
    for i, x in enumerate(inputs(3)):
        alone = encoder([x])
        assert float((together.neck[i] - alone.neck[0]).abs().max()) <= 1e-4
        assert float((together.backbone[i] - alone.backbone[0]).abs().max()) <= 1e-4


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@torch.inference_mode()
def test_features_are_float32_and_finite_in_either_precision(precision: str) -> None:
    torch.manual_seed(0)
    compute = Compute("cpu", "bf16" if precision == "bf16" else "fp32")
    encoder = TorchEncoder(build_networks("vit_t"), compute)
    features = encoder(inputs(1))
    assert encoder.name == f"torch-{precision}"
    for tensor in (features.neck, features.backbone):
        assert tensor.dtype == torch.float32
        assert bool(tensor.isfinite().all())
