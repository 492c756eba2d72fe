"""Prompts in image pixels -> the decoder's embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from samdb.core.boxes import Box, box_problem
from samdb.core.masks import Rle
from samdb.core.prompt import Prompt
from samdb.errors import InputError
from samdb.sam.decoder import Decoder
from samdb.sam.frame import Frame

# a mask prompt is given in logits; +-10 is "surely" on either side of SAM's threshold 0
_SURE_LOGIT = 10.0


def same_shape(prompt: Prompt) -> tuple[bool, int, bool]:
    """Prompts with an equal key can share a batch: has a box, number of points, has a mask."""
    return (prompt.box_xyxy is not None, len(prompt.points_xy), prompt.mask is not None)


def embed_prompts(decoder: Decoder, frame: Frame, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor | None]:
    """Sparse (P, T, 256) and, for mask prompts, dense (P, 256, 64, 64) embeddings of prompts of one shape.

    A mask alone is given together with its tight box: SAM's mask input refines another prompt. Raises
    InputError on a box, point or mask that can be no question: not finite, inverted, empty, of another size.
    """
    for prompt in prompts:
        _check(prompt)
    points = np.array([p.points_xy for p in prompts], dtype=np.float64).reshape(len(prompts), -1, 2)
    marks = torch.tensor([p.foreground for p in prompts], dtype=torch.float32).view(len(prompts), -1)
    coords = torch.from_numpy(frame.to_input(points)) if points.size else None
    boxes = [_box_of(p) for p in prompts]
    if boxes[0] is None:
        assert coords is not None  # a prompt has a box, a point or a mask
        sparse = decoder.point_embeddings(coords, marks)
    else:
        corners = frame.to_input(np.array(boxes, dtype=np.float64).reshape(-1, 2, 2)).reshape(-1, 4)
        sparse = decoder.box_embeddings(
            torch.from_numpy(corners), coords, marks if coords is not None else None
        )
    masks = [p.mask for p in prompts if p.mask is not None]
    if not masks:
        return sparse, None
    return sparse, decoder.mask_embeddings(torch.stack([_mask_logits(m, frame) for m in masks]))


def _check(prompt: Prompt) -> None:
    """One value that is not finite would make NaN of the whole answer."""
    problem = None if prompt.box_xyxy is None else box_problem(prompt.box_xyxy)
    if problem:
        raise InputError(f"cannot prompt with this: {problem}")
    if not np.isfinite(prompt.points_xy).all():
        raise InputError(f"cannot prompt with the points {prompt.points_xy}: give finite numbers, in px")
    if prompt.mask is not None and prompt.mask.area_px == 0:
        raise InputError("cannot prompt with an empty mask: set at least one pixel")


def _box_of(prompt: Prompt) -> Box | None:
    if prompt.box_xyxy is None and prompt.mask is not None and not prompt.points_xy:
        return prompt.mask.box_xyxy
    return prompt.box_xyxy


def _mask_logits(mask: Rle, frame: Frame) -> Tensor:
    """A mask of the image -> logits (1, 256, 256) of the padded input square."""
    if mask.size_hw != frame.size_hw:
        raise InputError(
            f"the mask is {mask.size_hw} px (H, W) but the image is {frame.size_hw}; resize the mask"
        )
    pixels = torch.from_numpy(mask.decode().astype(np.float32))[None, None]
    side = frame.square // 4
    height, width = (max(1, round(v / 4)) for v in frame.input_hw)
    small = F.interpolate(pixels, (height, width), mode="area")
    small = F.pad(small, (0, side - width, 0, side - height))
    return (small[0] * 2 - 1) * _SURE_LOGIT
