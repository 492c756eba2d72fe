"""The classifier that looks beside SAM: its network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d

from samdb.errors import WeightsError
from samdb.sam.efficientnet_lite import DIM, EfficientNetLite2, fold_norms, load_efficientnet


@pytest.fixture(scope="module")
def network() -> EfficientNetLite2:
    """Random weights, and batch norms that have seen something."""
    torch.manual_seed(0)
    network = EfficientNetLite2()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    return network.eval().requires_grad_(False)


def test_the_network_is_as_large_as_published_and_its_modules_are_named_so(
    network: EfficientNetLite2,
) -> None:
    state = network.state_dict()
    # 6.09 million in the authors' table, of which 1.28 million are the thousand classes, which it lacks
    learned = sum(p.numel() for p in EfficientNetLite2().parameters())
    assert learned == 6_092_072 - 1_281_000
    assert len(network._blocks) == 23 - 2  # Lite0's 16, four stages a third deeper
    assert state["_blocks.20._project_conv.weight"].shape == (352, 1248, 1, 1)
    assert "_blocks.0._expand_conv.weight" not in state  # the first stage does not widen


def test_an_image_of_any_size_becomes_one_row(network: EfficientNetLite2) -> None:
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 64)).shape == (2, DIM)
        assert network(torch.zeros(1, 3, 75, 41)).shape == (1, DIM)


def test_folding_the_norms_away_changes_nothing_but_rounding(network: EfficientNetLite2) -> None:
    x = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before = network(x)
        folded = fold_norms(network)
        after = folded(x)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert before.abs().max() > 0.01
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "before", "after"), [(4, 0, 1), (5, 1, 1), (7, 1, 1), (8, 0, 1)])
def test_a_stride_of_two_is_padded_as_tensorflow_pads_it(size: int, before: int, after: int) -> None:
    """Of TensorFlow's "SAME": ceil(size / 2) outputs, and what is odd is added after the picture."""
    from samdb.sam.efficientnet_lite import _SameConv

    conv = _SameConv(1, 1, 3, stride=2).requires_grad_(False)
    x = torch.randn(1, 1, size, size)
    by_hand = nn.functional.pad(x, (before, after, before, after))
    assert conv(x).shape[-1] == -(-size // 2)
    torch.testing.assert_close(conv(x), conv2d(by_hand, conv.weight, stride=2))


def test_another_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pth"
    torch.save({"_conv_stem.weight": torch.zeros(1)}, wrong)
    with pytest.raises(WeightsError, match="samdb weights pull efficientnet_lite2"):
        load_efficientnet(wrong)
    wrong.write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match="does not hold EfficientNet-Lite2"):
        load_efficientnet(wrong)
