"""From a checkpoint file to networks, and what is said of files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from samdb.errors import ConfigError, WeightsError
from samdb.sam.device import Compute
from samdb.sam.encoder import TorchEncoder
from samdb.sam.modeling import build_sam, modeling
from samdb.sam.networks import GRID, Networks, build_networks, load_networks


def test_a_file_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="run: samdb weights pull vit_t"):
        load_networks("vit_t", tmp_path / "none.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 a torn zip", b"\x80\x02}q\x00"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        load_networks("vit_t", path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="does not hold the weights of vit_t"):
        load_networks("vit_t", path)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {1: 2}])
def test_a_torch_file_that_holds_no_weights_by_name_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match="does not hold the weights of vit_t"):
        load_networks("vit_t", path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"image_encoder.x": Path("/etc")}, path)
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        load_networks("vit_t", path)


def test_an_unknown_model_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose one of vit_t, vit_b, vit_l, vit_h"):
        load_networks("vit_x", tmp_path / "weights.pt")


@pytest.mark.weights
def test_a_truncated_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "mobile_sam.pt"
    path.write_bytes(checkpoint.read_bytes()[:20_000_000])
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        load_networks("vit_t", path)


@pytest.mark.weights
def test_a_checkpoint_of_another_model_is_refused(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match="does not hold the weights of vit_b"):
        load_networks("vit_b", checkpoint)


@pytest.mark.weights
def test_a_checkpoint_without_one_weight_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    del state["mask_decoder.iou_token.weight"]
    path = tmp_path / "mobile_sam.pt"
    torch.save(state, path)
    with pytest.raises(WeightsError, match="does not hold the weights of vit_t"):
        load_networks("vit_t", path)


@pytest.mark.weights
def test_the_real_networks_are_ready_for_inference(networks: Networks) -> None:
    assert (networks.model, networks.backbone_dim) == ("vit_t", 320)
    for network in (networks.encoder, networks.prompt_encoder, networks.mask_decoder):
        assert not network.training
        assert not any(p.requires_grad for p in network.parameters())
        assert all(bool(p.isfinite().all()) for p in network.parameters())


def test_the_heads_of_vit_t_are_segment_anythings_own() -> None:
    networks = build_networks("vit_t")
    assert isinstance(networks.prompt_encoder, modeling.PromptEncoder)
    assert isinstance(networks.mask_decoder, modeling.MaskDecoder)


@pytest.mark.slow
@torch.inference_mode()
def test_vit_b_encodes_as_the_stock_model_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    stock = build_sam.build_sam_vit_b().eval()
    path = tmp_path / "random_vit_b.pth"
    torch.save(stock.state_dict(), path)
    networks = load_networks("vit_b", path)

    x = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    features = TorchEncoder(networks, Compute("cpu", "fp32"))([x])
    assert features.neck.shape == (1, 256, GRID, GRID)
    assert features.backbone.shape == (1, networks.backbone_dim, GRID, GRID)
    assert float((features.neck - stock.image_encoder(x)).abs().max()) <= 1e-3
