"""What the benchmark's stock side is made of: the repaired NMS, MobileSAM's code, the operations counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from samdb.errors import FetchError
from scripts.benchmark import official_tiny_vit
from scripts.benchmark.flops import count_flops
from scripts.benchmark.gemm import gemm_flops
from scripts.benchmark.torchvision_repair import nms


def test_nms_drops_what_overlaps_a_better_box_by_more_than_the_threshold() -> None:
    boxes = torch.tensor(
        [
            [0.0, 0.0, 10.0, 10.0],  # IoU with the second 50 / 150 = 1/3
            [5.0, 0.0, 15.0, 10.0],
            [0.0, 0.0, 10.0, 9.0],  # IoU with the first 0.9
            [50.0, 50.0, 60.0, 60.0],  # alone
        ]
    )
    scores = torch.tensor([0.5, 0.9, 0.7, 0.1])
    # best first: the second; the third overlaps it by 45/145; the first is the third again
    assert nms(boxes, scores, 0.7).tolist() == [1, 2, 3]
    assert nms(boxes, scores, 0.95).tolist() == [1, 2, 0, 3]
    assert nms(boxes, scores, 0.3).tolist() == [1, 3]


def test_nms_keeps_a_box_at_exactly_the_threshold() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 5.0]])
    assert nms(boxes, torch.tensor([1.0, 0.5]), 0.5).tolist() == [0, 1]


def test_nms_of_nothing_is_nothing() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.7).tolist() == []


def test_a_multiply_add_counts_as_two_operations() -> None:
    layer = nn.Linear(6, 7)  # 5 rows: 5 x 6 x 7 multiply-adds
    with torch.no_grad():
        assert count_flops(lambda: layer(torch.zeros(5, 6))) == 2 * 5 * 6 * 7
    assert gemm_flops(10) == 2000


def test_products_in_place_and_attention_on_a_cpu_are_counted_too() -> None:
    a, b, c = torch.zeros(2, 3, 4), torch.zeros(2, 3, 5), torch.zeros(2, 5, 4)
    assert count_flops(lambda: a.baddbmm_(b, c)) == 2 * (2 * 3 * 5 * 4)
    q, kv = torch.zeros(1, 8, 7, 16), torch.zeros(1, 8, 100, 16)
    with torch.inference_mode():
        # queries by keys, and weights by values
        assert count_flops(lambda: F.scaled_dot_product_attention(q, kv, kv)) == 2 * 2 * (8 * 7 * 100 * 16)


def test_mobile_sams_file_is_built_without_timm_and_leaves_none_behind(tmp_path: Path) -> None:
    code = tmp_path / "tiny_vit_sam.py"
    code.write_text(
        "import torch\n"
        "from timm.models.layers import DropPath, to_2tuple, trunc_normal_\n"
        "from timm.models.registry import register_model\n"
        "class TinyViT(torch.nn.Linear):\n"
        "    def __init__(self, img_size, **settings):\n"
        "        super().__init__(*to_2tuple(2))\n"
        "        self.settings = settings\n"
        "@register_model\n"
        "def tiny(): return TinyViT(2)\n"
    )
    before = set(sys.modules)
    network = official_tiny_vit.build_tiny_vit(code)
    assert isinstance(network, nn.Linear)
    assert not {m for m in set(sys.modules) - before if m.startswith("timm")}


def test_another_file_than_the_known_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(official_tiny_vit, "fetch_sdist", lambda _, dest: dest)
    monkeypatch.setattr(
        official_tiny_vit, "take_member", lambda _, __, dest: (dest.write_text("evil()"), dest)[1]
    )
    with pytest.raises(FetchError, match="another"):
        official_tiny_vit.fetch_code(tmp_path)
    assert not list(tmp_path.glob("*.py"))
