"""Stock SAM's answers as samdb's mask candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from segment_anything.utils.amg import batched_mask_to_box, calculate_stability_score
from torch import Tensor

from samdb.core.masks import Rle
from samdb.core.prompt import MaskCandidate

# samdb's own rules for a prompt's masks (samdb.sam.segmenter): which are worth drawing, which repeat another
_MIN_PREDICTED_IOU, _SAME_MASK_IOU = 0.75, 0.9


def distinct_outputs(low_res: Tensor, quality: Tensor) -> list[int]:
    """Outputs to keep, of logits (4, 256, 256): the single mask, then good ones that repeat no better one."""
    good = [o for o in range(1, 4) if quality[o] >= _MIN_PREDICTED_IOU]
    kept: list[int] = []
    for output in [0, *sorted(good, key=lambda o: -float(quality[o]))]:
        mask = low_res[output] > 0
        if all(_iou(mask, low_res[other] > 0) < _SAME_MASK_IOU for other in kept):
            kept.append(output)
    return kept


def _iou(a: Tensor, b: Tensor) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def prompted_mask(
    logits: Tensor, output: int, quality: float, tokens: NDArray[np.float32]
) -> MaskCandidate | None:
    """One mask of an image's logits (H, W); None when it is empty."""
    pixels = logits > 0
    area = int(pixels.sum())
    if area == 0:
        return None
    x0, y0, x1, y1 = (float(v) for v in batched_mask_to_box(pixels[None])[0])
    stability = float(calculate_stability_score(logits[None], 0.0, 1.0)[0])
    rle = Rle.encode(pixels.cpu().numpy())
    return MaskCandidate(rle, (x0, y0, x1 + 1, y1 + 1), area, quality, stability, output, tokens, "box")


def generated_mask(record: Mapping[str, Any]) -> MaskCandidate:
    """One record of the stock generator."""
    x, y, w, h = record["bbox"]
    return MaskCandidate(
        mask=Rle.encode(record["segmentation"]),
        box_xyxy=(float(x), float(y), float(x + w + 1), float(y + h + 1)),
        area_px=int(record["area"]),
        predicted_iou=float(record["predicted_iou"]),
        stability_score=float(record["stability_score"]),
        output=1,  # the generator does not say which of the three it was
        tokens=np.zeros((0, 0), dtype=np.float32),
        prompt_kind="grid",
    )
