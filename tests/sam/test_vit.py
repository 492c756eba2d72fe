"""SAM's plain ViT against segment-anything's own, and its layouts by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from samdb.sam.modeling import build_sam, modeling
from samdb.sam.networks import build_networks
from samdb.sam.tokens import from_windows, to_image, to_tokens, to_windows
from samdb.sam.vit import VIT_SHAPES, Vit, VitShape

#: a grid of 6 x 6 cells, which windows of 4 do not divide
SMALL = VitShape(dim=32, depth=3, heads=2, global_blocks=(1,), grid=6, window=4, neck_dim=8)


def stock(shape: VitShape) -> nn.Module:
    """segment-anything's encoder with random weights, also where it starts with zeros."""
    torch.manual_seed(0)
    encoder: nn.Module = modeling.ImageEncoderViT(
        img_size=shape.grid * shape.cell_px,
        patch_size=shape.cell_px,
        embed_dim=shape.dim,
        depth=shape.depth,
        num_heads=shape.heads,
        out_chans=shape.neck_dim,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=shape.window,
        global_attn_indexes=shape.global_blocks,
    )
    for parameter in encoder.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.3)
    return encoder.eval()


@torch.inference_mode()
def test_a_small_vit_encodes_as_segment_anythings_does() -> None:
    reference, ours = stock(SMALL), Vit(SMALL).eval()
    ours.load_state_dict(reference.state_dict())
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    neck, backbone = ours(x)
    assert neck.shape == (2, 8, 6, 6)
    assert backbone.shape == (2, 32, 6, 6)
    assert float((neck - reference(x)).abs().max()) <= 1e-4
    assert float((reference.get_submodule("neck")(backbone) - neck).abs().max()) <= 1e-4


@torch.inference_mode()
def test_the_relative_positions_matter_in_that_comparison() -> None:
    reference, ours = stock(SMALL), Vit(SMALL).eval()
    ours.load_state_dict(reference.state_dict())
    nn.init.zeros_(ours.get_parameter("blocks.0.attn.rel_pos_w"))
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    assert float((ours(x)[0] - reference(x)).abs().max()) > 1e-2


def test_every_size_has_the_weights_of_the_stock_model_by_name_and_shape() -> None:
    builders = {
        "vit_b": build_sam.build_sam_vit_b,
        "vit_l": build_sam.build_sam_vit_l,
        "vit_h": build_sam.build_sam_vit_h,
    }
    for model, build in builders.items():
        with torch.device("meta"):
            theirs = build().image_encoder.state_dict()
            ours = Vit(VIT_SHAPES[model]).state_dict()
        assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in theirs.items()}


@pytest.mark.slow
@pytest.mark.timeout(600)  # 20 s on two quiet cores
@torch.inference_mode()
def test_vit_b_encodes_as_segment_anythings_does() -> None:
    reference = stock(VIT_SHAPES["vit_b"])
    ours = build_networks("vit_b").encoder
    ours.load_state_dict(reference.state_dict())
    x = torch.randn(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(1))
    assert float((ours(x)[0] - reference(x)).abs().max()) <= 1e-4


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_small_vit_encodes_on_a_gpu_as_on_the_cpu(dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    encoder = Vit(SMALL).eval()
    encoder.load_state_dict(stock(SMALL).state_dict())
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    expected = encoder(x)[0]
    got = encoder.to("cuda", dtype)(x.to("cuda", dtype))[0].float().cpu()
    assert float(torch.nn.functional.cosine_similarity(got.flatten(), expected.flatten(), dim=0)) >= 0.999


def test_windows_are_cut_row_by_row_with_zeros_beyond_the_edge() -> None:
    # one channel, cells numbered from 1:  1 2 3
    #                                      4 5 6
    x = torch.arange(1.0, 7.0).view(1, 2, 3, 1)
    windows = to_windows(x, 2)
    assert windows[..., 0].tolist() == [[1, 2, 4, 5], [3, 0, 6, 0]]
    assert torch.equal(from_windows(windows, 2, (2, 3)), x)


def test_windows_of_a_batch_stay_with_their_image() -> None:
    x = torch.randn(3, 5, 4, 2, generator=torch.Generator().manual_seed(2))
    windows = to_windows(x, 2)
    assert windows.shape == (3 * 6, 4, 2)
    assert torch.equal(windows[6], x[1, :2, :2].reshape(4, 2))
    assert torch.equal(from_windows(windows, 2, (5, 4)), x)


def test_tokens_are_the_pixels_in_reading_order() -> None:
    x = torch.arange(12.0).view(1, 2, 2, 3)
    tokens = to_tokens(x)
    assert tokens[0, 4].tolist() == [4, 10]
    assert torch.equal(to_image(tokens, 2, 3), x)
