"""Import the stock code beside a CPU build of torch.

The wheels of torchvision are built for CUDA; beside a CPU build of torch their operators are not there and
`import torchvision` fails. The stock generator needs one of them, NMS: it is defined here with torch's own
operations (4 ms for the boxes of one image, of the stock generator's minute). For the benchmark only: the
library never imports torchvision.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import torch
from torch import Tensor

#: keeps the definitions alive: they end with the object
_LIBRARY: list[Any] = []


def nms(boxes_xyxy: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices, best score first, of boxes (N, 4) that overlap no better one by more than the threshold.

    The same rule as torchvision.ops.nms: a box goes when IoU > threshold.
    """
    order = scores.argsort(descending=True, stable=True)
    boxes = boxes_xyxy[order]
    x0, y0, x1, y1 = boxes.unbind(1)
    areas = (x1 - x0) * (y1 - y0)
    alive = torch.ones(len(boxes), dtype=torch.bool)
    keep: list[int] = []
    for i in range(len(boxes)):
        if not alive[i]:
            continue
        keep.append(i)
        width = (torch.minimum(x1[i], x1[i + 1 :]) - torch.maximum(x0[i], x0[i + 1 :])).clamp_(min=0)
        height = (torch.minimum(y1[i], y1[i + 1 :]) - torch.maximum(y0[i], y0[i + 1 :])).clamp_(min=0)
        shared = width * height
        alive[i + 1 :] &= ~(shared / (areas[i] + areas[i + 1 :] - shared) > iou_threshold)
    return order[torch.tensor(keep, dtype=torch.int64)]


def import_torchvision() -> bool:
    """Make `import torchvision` work; whether it had to be repaired for that.

    Raises ImportError when it is not installed, or fails in another way.
    """
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        raise
    except (ImportError, RuntimeError, OSError):
        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    else:
        return False
    if not _LIBRARY:
        library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for op in ("nms", "qnms"):  # what the package's shape rules name while it is imported
            library.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl("nms", nms, "CPU")
        _LIBRARY.append(library)
    importlib.import_module("torchvision")
    extension = importlib.import_module("torchvision.extension")
    extension._has_ops = lambda: True  # type: ignore[attr-defined]
    return True
