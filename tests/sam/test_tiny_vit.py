"""MobileSAM's encoder: its parts by naive arithmetic, its weights from the checkpoint's layout."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samdb.sam.networks import build_networks
from samdb.sam.tiny_vit import (
    ChannelNorm,
    MbConv,
    PatchMerging,
    TinyViT,
    WindowAttention,
    WindowBlock,
    fold_batchnorm,
)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def encoder() -> nn.Module:
    """TinyViT with seeded random weights."""
    torch.manual_seed(0)
    return build_networks("vit_t").encoder


@torch.inference_mode()
def test_a_batch_norm_is_folded_into_its_convolution() -> None:
    conv = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
    bn = nn.BatchNorm2d(8).eval()
    for tensor, low, high in [
        (bn.weight, 0.5, 2),
        (bn.bias, -1, 1),
        (bn.running_mean, -1, 1),
        (bn.running_var, 0.1, 3),
    ]:
        assert tensor is not None
        nn.init.uniform_(tensor, low, high, generator=seeded(1))
    names = {f"stem.c.{k}": v for k, v in conv.state_dict().items()}
    names |= {f"stem.bn.{k}": v for k, v in bn.state_dict().items()}
    folded = fold_batchnorm(names)
    assert sorted(folded) == ["stem.bias", "stem.weight"]

    x = torch.randn(2, 3, 16, 16, generator=seeded(2))
    expected = bn(conv(x))
    got = F.conv2d(x, folded["stem.weight"], folded["stem.bias"], stride=2, padding=1)
    assert float((got - expected).abs().max()) <= 1e-5


def test_folding_keeps_other_weights_and_drops_the_imagenet_head() -> None:
    norm = torch.ones(3)
    state = {
        "layers.1.blocks.0.attn.norm.weight": norm,
        "layers.1.blocks.0.attn.attention_bias_idxs": torch.zeros(2, 2),
        "norm_head.weight": norm,
        "head.weight": norm,
    }
    assert fold_batchnorm(state) == {"layers.1.blocks.0.attn.norm.weight": norm}


def test_folding_names_the_patch_embedding_as_the_network_does(encoder: nn.Module) -> None:
    bn = {
        f"patch_embed.seq.0.bn.{k}": torch.ones(2) for k in ("weight", "bias", "running_mean", "running_var")
    }
    folded = fold_batchnorm({"patch_embed.seq.0.c.weight": torch.ones(2, 3, 1, 1), **bn})
    assert sorted(folded) == ["patch_embed.0.bias", "patch_embed.0.weight"]
    assert set(folded) <= set(encoder.state_dict())


@torch.inference_mode()
def test_features_come_out_at_a_sixteenth_of_any_input(encoder: nn.Module) -> None:
    for side in (256, 512):
        neck, backbone = encoder(torch.randn(1, 3, side, side, generator=seeded(3)))
        assert neck.shape == (1, 256, side // 16, side // 16)
        assert backbone.shape == (1, 320, side // 16, side // 16)


@torch.inference_mode()
def test_the_neck_normalises_its_channels(encoder: nn.Module) -> None:
    neck, _ = encoder(torch.randn(1, 3, 256, 256, generator=seeded(4)))
    assert float(neck.mean(dim=1).abs().max()) <= 1e-4
    assert float((neck.var(dim=1, unbiased=False) - 1).abs().max()) <= 1e-2


@torch.inference_mode()
def test_images_of_a_batch_do_not_see_each_other(encoder: nn.Module) -> None:
    batch = torch.randn(2, 3, 256, 256, generator=seeded(5))
    together, alone = encoder(batch)[0][1], encoder(batch[1:])[0][0]
    assert float((together - alone).abs().max()) <= 1e-4


def test_it_has_the_parameters_of_tinyvit_5m_without_its_head() -> None:
    # 6.1 million with SAM's neck, as the MobileSAM paper's table 5 rounds to 5M (head and batch norms apart)
    assert 5_500_000 < sum(p.numel() for p in TinyViT().parameters()) < 6_500_000


@torch.inference_mode()
def test_window_attention_is_softmax_attention_with_a_bias_per_offset() -> None:
    torch.manual_seed(6)
    attention = WindowAttention(dim=8, heads=2, window=3)
    nn.init.normal_(attention.attention_biases)
    x = torch.randn(2, 9, 8)
    assert float((attention(x) - naive_attention(attention, x)).abs().max()) <= 1e-5


def naive_attention(attention: WindowAttention, x: Tensor) -> Tensor:
    """The same, a pixel pair at a time."""
    window, dim = 3, 4
    outputs = []
    for tokens in attention.norm(x):
        mixed = torch.zeros(9, 8)
        # the checkpoint keeps q, k and v of a head side by side
        for head, qkv in enumerate(attention.qkv(tokens).view(9, 2, 3, dim).unbind(dim=1)):
            q, k, v = qkv.unbind(dim=1)
            scores = torch.zeros(9, 9)
            for i in range(9):
                for j in range(9):
                    dy, dx = abs(i // window - j // window), abs(i % window - j % window)
                    bias = attention.attention_biases[head, dy * window + dx]
                    scores[i, j] = q[i] @ k[j] / dim**0.5 + bias
            mixed[:, head * dim : (head + 1) * dim] = scores.softmax(dim=1) @ v
        outputs.append(attention.proj(mixed))
    return torch.stack(outputs)


@torch.inference_mode()
def test_windows_do_not_see_each_other() -> None:
    torch.manual_seed(7)
    block = WindowBlock(dim=8, heads=2, window=2)
    x = torch.randn(1, 4, 4, 8)
    changed = x.clone()
    changed[0, 0, 0] += 5  # in the upper left window
    moved = (block._attend(x) - block._attend(changed)).abs().sum(dim=-1)[0]
    assert bool((moved[:2, :2] > 0).all())
    assert not moved[2:].any()
    assert not moved[:, 2:].any()


@torch.inference_mode()
def test_a_grid_that_is_no_multiple_of_the_window_keeps_its_size() -> None:
    torch.manual_seed(8)
    assert WindowBlock(dim=8, heads=2, window=3)(torch.randn(1, 4, 5, 8)).shape == (1, 4, 5, 8)


@torch.inference_mode()
def test_a_bottleneck_adds_to_its_input_and_a_merge_halves_the_grid() -> None:
    torch.manual_seed(9)
    x = torch.randn(1, 4, 6, 6)
    bottleneck = MbConv(4)
    for weight in bottleneck.conv3.parameters():
        nn.init.zeros_(weight)
    assert torch.equal(bottleneck(x), F.gelu(x))
    assert PatchMerging(4, 6, stride=2)(x).shape == (1, 6, 3, 3)
    assert PatchMerging(4, 6, stride=1)(x).shape == (1, 6, 6, 6)


@torch.inference_mode()
def test_channel_norm_is_a_layer_norm_at_each_pixel() -> None:
    x = torch.randn(1, 5, 2, 2, generator=seeded(10))
    got = ChannelNorm(5)(x)
    assert float((got[0, :, 1, 0] - F.layer_norm(x[0, :, 1, 0], (5,), eps=1e-6)).abs().max()) <= 1e-6
