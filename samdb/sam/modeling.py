"""The one door to `segment_anything`: its networks, without its package `__init__`.

The package's `__init__` imports torchvision, whose wheels are built for CUDA and fail beside a CPU build of
torch ("operator torchvision::nms does not exist"). samdb needs only `segment_anything.modeling` and
`segment_anything.build_sam`, which import none of it, so when the plain import fails these are loaded below
a bare package object instead.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from samdb.errors import ConfigError


def _load(submodule: str) -> ModuleType:
    """Import `segment_anything.<submodule>`, going around the package's `__init__` when that fails."""
    name = f"segment_anything.{submodule}"
    try:
        return importlib.import_module(name)
    except Exception:  # torchvision fails in many ways: ImportError, RuntimeError, OSError
        for loaded in [m for m in sys.modules if m.split(".")[0] == "segment_anything"]:
            del sys.modules[loaded]
    spec = importlib.util.find_spec("segment_anything")
    if spec is None:
        raise ConfigError("the package segment-anything is not installed: pip install segment-anything")
    package = ModuleType("segment_anything")
    package.__path__ = list(spec.submodule_search_locations or [])
    package.__spec__ = spec
    sys.modules["segment_anything"] = package
    return importlib.import_module(name)


modeling = _load("modeling")
build_sam = _load("build_sam")
