"""Automatic masks: everything SAM sees in an image, from a grid of points.

The masks are those of `segment_anything.SamAutomaticMaskGenerator` (held to its output in
tests/sam/test_golden.py); what differs is only the order of the work: quality is predicted before a mask is
drawn, one mask is drawn at a time, and only survivors are encoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.boxes import nms
from samdb.errors import ConfigError
from samdb.sam.decoder import Attended, Decoder, ImageTokens
from samdb.sam.drawing import DrawnMask, draw_mask
from samdb.sam.frame import Frame

_EDGE_TOLERANCE_PX = 20.0


@dataclass(frozen=True, slots=True)
class AutomaticSettings:
    """Settings of the generator; the defaults are the stock ones.

    `points_per_side` points are laid along each side. A mask stays when its predicted IoU is above
    `min_predicted_iou` and its stability at least `min_stability`; of masks whose boxes overlap by more than
    `nms_iou` the best stays. `crop_layers` > 0 looks again at 2^layer x 2^layer overlapping crops, with the
    points per side divided by `crop_points_divisor`^layer.
    """

    points_per_side: int = 32
    min_predicted_iou: float = 0.88
    min_stability: float = 0.95
    nms_iou: float = 0.7
    crop_layers: int = 0
    crop_overlap: float = 512 / 1500
    crop_points_divisor: int = 1
    crop_nms_iou: float = 0.7

    def __post_init__(self) -> None:
        if self.points_per_side < 1 or self.crop_layers < 0 or self.crop_points_divisor < 1:
            raise ConfigError("points per side and crop divisor must be at least 1, crop layers at least 0")


@dataclass(frozen=True, slots=True)
class FoundMask:
    """A mask with the quality SAM predicts for it (may exceed 1) and the output (1-3) it came from."""

    drawn: DrawnMask
    predicted_iou: float
    output: int


#: encodes a crop (h, w, 3) and gives its frame and image tokens
EncodeCrop = Callable[[NDArray[np.uint8]], tuple[Frame, ImageTokens]]


def generate_masks(
    image: NDArray[np.uint8],
    whole: tuple[Frame, ImageTokens],
    decoder: Decoder,
    encode_crop: EncodeCrop,
    settings: AutomaticSettings,
    batch_size: int,
) -> list[FoundMask]:
    """All masks of an RGB image (H, W, 3) whose tokens are `whole`, best predicted IoU first."""
    found: list[FoundMask] = []
    crop_sizes: list[float] = []
    size_hw = (image.shape[0], image.shape[1])
    for box, layer in crop_boxes(size_hw, settings.crop_layers, settings.crop_overlap):
        x0, y0, x1, y1 = box
        frame, tokens = whole if layer == 0 else encode_crop(image[y0:y1, x0:x1])
        per_side = max(1, settings.points_per_side // settings.crop_points_divisor**layer)
        points = point_grid(per_side) * (x1 - x0, y1 - y0)
        masks = _masks_of_crop(frame, tokens, decoder, points, settings, batch_size)
        masks = [FoundMask(m.drawn.moved(y0, x0), m.predicted_iou, m.output) for m in masks]
        masks = [m for m in masks if not _touches_crop_edge(m.drawn, box, size_hw)]
        found += [masks[i] for i in nms(_inclusive(masks), _quality(masks), settings.nms_iou)]
        crop_sizes += [float((x1 - x0) * (y1 - y0))] * (len(found) - len(crop_sizes))
    if settings.crop_layers > 0:
        # of the same thing seen in several crops, the closest look wins
        keep = nms(_inclusive(found), 1.0 / np.array(crop_sizes, dtype=np.float64), settings.crop_nms_iou)
        found = [found[i] for i in keep]
    return sorted(found, key=lambda mask: -mask.predicted_iou)


def point_grid(per_side: int) -> NDArray[np.float64]:
    """Centres (per_side², 2) of an even grid on the unit square, (x, y), row by row."""
    centres = (np.arange(per_side) + 0.5) / per_side
    x, y = np.meshgrid(centres, centres)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def crop_boxes(
    size_hw: tuple[int, int], layers: int, overlap: float
) -> list[tuple[tuple[int, int, int, int], int]]:
    """The image and its crops: (x0, y0, x1, y1) in px with the layer each belongs to.

    Source: segment_anything.utils.amg.generate_crop_boxes.
    """
    height, width = size_hw
    boxes = [((0, 0, width, height), 0)]
    for layer in range(1, layers + 1):
        n = 2**layer
        shared = int(overlap * min(size_hw) * (2 / n))
        crop_w = math.ceil((shared * (n - 1) + width) / n)
        crop_h = math.ceil((shared * (n - 1) + height) / n)
        corners = [((crop_w - shared) * i, (crop_h - shared) * j) for i in range(n) for j in range(n)]
        boxes += [((x, y, min(x + crop_w, width), min(y + crop_h, height)), layer) for x, y in corners]
    # an image of a few pixels has crops without any
    return [(box, layer) for box, layer in boxes if box[2] > box[0] and box[3] > box[1]]


def _masks_of_crop(
    frame: Frame,
    tokens: ImageTokens,
    decoder: Decoder,
    points_xy: NDArray[np.float64],
    settings: AutomaticSettings,
    batch_size: int,
) -> list[FoundMask]:
    found: list[FoundMask] = []
    coords = torch.from_numpy(frame.to_input(points_xy))
    for start in range(0, len(coords), batch_size):
        batch = coords[start : start + batch_size]
        state = decoder.attend(tokens, decoder.point_embeddings(batch[:, None], torch.ones(len(batch), 1)))
        found += _good_masks(frame, decoder, state, settings)
    return found


def _good_masks(
    frame: Frame, decoder: Decoder, state: Attended, settings: AutomaticSettings
) -> list[FoundMask]:
    good = state.predicted_iou > settings.min_predicted_iou
    good[:, 0] = False  # a point is ambiguous: its masks are the three multimask outputs
    logits: Tensor = decoder.draw(state, good, frame.cells_hw)
    found = []
    for low_res, (row, output) in zip(logits, good.nonzero().tolist(), strict=True):
        drawn = draw_mask(frame, low_res)
        if drawn is not None and drawn.stability_score >= settings.min_stability:
            found.append(FoundMask(drawn, float(state.predicted_iou[row, output]), output))
    return found


def _touches_crop_edge(
    mask: DrawnMask, crop_xyxy: tuple[int, int, int, int], size_hw: tuple[int, int]
) -> bool:
    """Whether the mask is cut off by the crop's edge where that is not the image's edge too."""
    box = np.array(mask.box_xyxy) - (0, 0, 1, 1)
    image = np.array([0, 0, size_hw[1], size_hw[0]], dtype=np.float64)
    near_crop = np.abs(box - crop_xyxy) <= _EDGE_TOLERANCE_PX
    near_image = np.abs(box - image) <= _EDGE_TOLERANCE_PX
    return bool((near_crop & ~near_image).any())


def _inclusive(masks: list[FoundMask]) -> NDArray[np.float64]:
    """Boxes (N, 4) whose x1, y1 are the last set pixel: what the stock generator gives to its NMS."""
    return np.array([m.drawn.box_xyxy for m in masks]).reshape(-1, 4) - (0, 0, 1, 1)


def _quality(masks: list[FoundMask]) -> NDArray[np.float64]:
    return np.array([m.predicted_iou for m in masks])
