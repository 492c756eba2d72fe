"""The recipe `semantic`: what a classifier of everyday things sees in a crop around each mask.

Source: the features before the classes of EfficientNet-Lite2 (`efficientnet_lite`), of a square crop around
the mask's box, as is usual for searching images by what is on them (Babenko et al., "Neural Codes for Image
Retrieval", 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from samdb.core.boxes import Box
from samdb.sam.efficientnet_lite import SIDE_PX, load_efficientnet

#: the crop's side over the longer side of the box; a second crop of 2.0 beside it (alone, without SAM's
#: features) told more boxes, .877 instead of .864, but classes and neighbours no better, at twice the time
_CONTEXT = 1.2
# what fills a crop that reaches beyond the image, and becomes 0
_GREY = 127
_CPU_BATCH, _GPU_BATCH = 8, 64


class SemanticEmbedder:
    """Describes boxes of an image with a classifier's features; `network` maps (B, 3, S, S) to (B, 1280).

    Always in fp32: in bf16 (22 ms a crop on one core, not 58) vectors moved by up to .02 in cosine, and those
    made in one precision are compared with those made in another.
    """

    def __init__(self, network: nn.Module, device: str) -> None:
        self._device = device
        network = network.to(device=device, dtype=torch.float32)
        # on a CPU half the time of torch's default layout
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._batch = _CPU_BATCH if device == "cpu" else _GPU_BATCH

    def embed(self, image: NDArray[np.uint8], boxes_xyxy: Sequence[Box]) -> NDArray[np.float32]:
        """Features (N, 1280), not scaled, of the boxes (px) in an RGB image (H, W, 3)."""
        picture = Image.fromarray(image)
        crops = [square_crop(picture, box) for box in boxes_xyxy]
        rows: list[NDArray[np.float32]] = []
        for start in range(0, len(crops), self._batch):
            batch = torch.from_numpy(np.stack(crops[start : start + self._batch])).permute(0, 3, 1, 2)
            ready = ((batch.float() - _GREY) / (_GREY + 1)).to(
                device=self._device, memory_format=torch.channels_last
            )
            rows.append(self._network(ready).cpu().numpy())
        return np.asarray(np.concatenate(rows), dtype=np.float32)


def square_crop(image: Image.Image, box_xyxy: Box, context: float = _CONTEXT) -> NDArray[np.uint8]:
    """The square (S, S, 3) around a box's centre, `context` times as wide as its longer side, scaled to the
    network's input; what lies outside the image is grey.
    """
    x0, y0, x1, y1 = box_xyxy
    side = max(x1 - x0, y1 - y0, 1.0) * context
    left, top = (x0 + x1 - side) / 2, (y0 + y1 - side) / 2
    inside = (
        max(left, 0.0),
        max(top, 0.0),
        min(left + side, float(image.width)),
        min(top + side, float(image.height)),
    )
    scale = SIDE_PX / side
    size = tuple(max(1, round((inside[i + 2] - inside[i]) * scale)) for i in (0, 1))
    canvas = Image.new("RGB", (SIDE_PX, SIDE_PX), (_GREY,) * 3)
    place = round((inside[0] - left) * scale), round((inside[1] - top) * scale)
    canvas.paste(image.resize((size[0], size[1]), Image.Resampling.BICUBIC, box=inside), place)
    return np.asarray(canvas)


def load_semantic(checkpoint: Path, device: str) -> SemanticEmbedder:
    """The embedder with its network read from `checkpoint`. Raises WeightsError when that is another file."""
    return SemanticEmbedder(load_efficientnet(checkpoint), device)
