"""Automatic masks: everything SAM sees in an image, from a grid of points.

In mode `exact` the masks are those of `segment_anything.SamAutomaticMaskGenerator` (held to its output in
tests/sam/test_golden.py); what differs is the order of the work. Quality is predicted before a mask is
upscaled, sketches of the low-resolution logits say which masks surely fall (`sketch.py`), and the others are
drawn best first, so that of the hundred times a grid finds the road it is drawn once.

In mode `fast` only the half of the points is asked where the features change most (`saliency.py`). Measured
(README, "Automatic masks").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.boxes import box_iou, nms
from samdb.errors import ConfigError
from samdb.sam.crop_grid import crop_boxes, point_grid, touches_crop_edge
from samdb.sam.decoder import Decoder, ImageTokens
from samdb.sam.drawing import DrawnMask, draw_mask
from samdb.sam.encoder import Features
from samdb.sam.frame import Frame
from samdb.sam.networks import CELL_PX
from samdb.sam.saliency import feature_contrast, most_telling
from samdb.sam.sketch import Sketches, join, sketch, surely_overlaps

AutomaticMode: TypeAlias = Literal["exact", "fast"]
AUTOMATIC_MODES: tuple[AutomaticMode, ...] = get_args(AutomaticMode)

#: of the stable masks of 17 BDD100K frames 0.08 % have a sketched stability this much below the least one
_SKETCH_MARGIN = 0.08
#: share of the points that the fast mode asks (README, "Automatic masks")
_FAST_SHARE = 0.5


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
    mode: AutomaticMode = "exact"

    def __post_init__(self) -> None:
        if self.mode not in AUTOMATIC_MODES:
            known = " or ".join(AUTOMATIC_MODES)
            raise ConfigError(f"unknown mode {self.mode!r} of automatic masks: use {known}")
        if self.points_per_side < 1 or self.crop_layers < 0 or self.crop_points_divisor < 1:
            raise ConfigError("points per side and crop divisor must be at least 1, crop layers at least 0")


@dataclass(frozen=True, slots=True)
class FoundMask:
    """A mask with the quality SAM predicts for it (may exceed 1) and the output (1-3) it came from."""

    drawn: DrawnMask
    predicted_iou: float
    output: int


@dataclass(frozen=True, slots=True)
class View:
    """An image, or a crop of one, as the encoder saw it."""

    frame: Frame
    features: Features


#: encodes a crop (h, w, 3)
EncodeCrop = Callable[[NDArray[np.uint8]], View]


def generate_masks(
    image: NDArray[np.uint8],
    whole: View,
    decoder: Decoder,
    encode_crop: EncodeCrop,
    settings: AutomaticSettings,
    batch_size: int,
) -> list[FoundMask]:
    """All masks of an RGB image (H, W, 3) that the encoder saw as `whole`, best predicted IoU first."""
    found: list[FoundMask] = []
    crop_sizes: list[float] = []
    size_hw = (image.shape[0], image.shape[1])
    for box, layer in crop_boxes(size_hw, settings.crop_layers, settings.crop_overlap):
        x0, y0, x1, y1 = box
        view = whole if layer == 0 else encode_crop(image[y0:y1, x0:x1])
        per_side = max(1, settings.points_per_side // settings.crop_points_divisor**layer)
        candidates = _ask(view, decoder, point_grid(per_side), settings, batch_size)

        def inside(mask: DrawnMask, box: tuple[int, int, int, int] = box) -> bool:
            return not touches_crop_edge(mask.moved(box[1], box[0]), box, size_hw)

        masks = candidates.survivors(view.frame, settings, inside)
        found += [FoundMask(m.drawn.moved(y0, x0), m.predicted_iou, m.output) for m in masks]
        crop_sizes += [float((x1 - x0) * (y1 - y0))] * (len(found) - len(crop_sizes))
    if settings.crop_layers > 0:
        # of the same thing seen in several crops, the closest look wins
        keep = nms(_inclusive(found), 1.0 / np.array(crop_sizes, dtype=np.float64), settings.crop_nms_iou)
        found = [found[i] for i in keep]
    return sorted(found, key=lambda mask: -mask.predicted_iou)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """N masks that are good enough by their predicted IoU, not yet drawn: logits (h, w) each."""

    low_res: list[Tensor]
    predicted_iou: NDArray[np.float64]
    outputs: NDArray[np.int64]
    sketches: Sketches

    def survivors(
        self, frame: Frame, settings: AutomaticSettings, inside: Callable[[DrawnMask], bool]
    ) -> list[FoundMask]:
        """The masks that are stable and `inside`, and of those that overlap the best.

        Greedy non-maximum suppression like the stock one, but lazy: a mask is drawn when its turn comes, and
        not at all when it surely overlaps a better one.
        """
        kept: list[FoundMask] = []
        boxes = np.zeros((0, 4))
        waiting = np.ones(len(self.predicted_iou), dtype=bool)
        for i in np.argsort(-self.predicted_iou, kind="stable"):
            if not waiting[i]:
                continue
            drawn = draw_mask(frame, self.low_res[i])
            if drawn is None or drawn.stability_score < settings.min_stability or not inside(drawn):
                continue
            box = np.array(drawn.box_xyxy) - (0, 0, 1, 1)
            if len(boxes) and box_iou(box, boxes).max() > settings.nms_iou:
                continue
            kept.append(FoundMask(drawn, float(self.predicted_iou[i]), int(self.outputs[i])))
            boxes = np.vstack([boxes, box])
            waiting &= ~surely_overlaps(self.sketches, box, settings.nms_iou)
        return kept


def _ask(
    view: View,
    decoder: Decoder,
    points: NDArray[np.float64],
    settings: AutomaticSettings,
    batch_size: int,
) -> _Candidates:
    """Prompt with `points` (N, 2) on the unit square and sketch what passes for a mask."""
    frame = view.frame
    coords = frame.to_input(points * frame.size_hw[::-1])
    tokens = decoder.share(view.features.neck)
    if settings.mode == "fast":
        coords = coords[_telling_points(coords, view)]
    parts = []
    for start in range(0, len(coords), batch_size):
        batch = torch.from_numpy(coords[start : start + batch_size])
        parts.append(_candidates(frame, decoder, tokens, batch, settings))
    return _joined(parts)


def _telling_points(coords: NDArray[np.float32], view: View) -> NDArray[np.int64]:
    rows, columns = view.frame.cells_hw
    contrast = feature_contrast(view.features.neck[0, :, :rows, :columns].cpu().numpy())
    cells = (coords[:, ::-1] // CELL_PX).astype(np.int64)
    return most_telling(np.minimum(cells, (rows - 1, columns - 1)), contrast, _FAST_SHARE)


def _candidates(
    frame: Frame, decoder: Decoder, tokens: ImageTokens, coords: Tensor, settings: AutomaticSettings
) -> _Candidates:
    state = decoder.attend(tokens, decoder.point_embeddings(coords[:, None], torch.ones(len(coords), 1)))
    good = state.predicted_iou > settings.min_predicted_iou
    good[:, 0] = False  # a point is ambiguous: its masks are the three multimask outputs
    low_res = decoder.draw(state, good, frame.cells_hw)
    sketches = sketch(frame, low_res)
    promising = ~sketches.empty & (sketches.stability >= settings.min_stability - _SKETCH_MARGIN)
    chosen = np.flatnonzero(promising)
    return _Candidates(
        list(low_res[torch.from_numpy(chosen).to(low_res.device)]),
        state.predicted_iou[good].double().cpu().numpy()[chosen],
        good.nonzero()[:, 1].cpu().numpy()[chosen],
        sketches.only(chosen),
    )


def _joined(parts: list[_Candidates]) -> _Candidates:
    return _Candidates(
        [logits for p in parts for logits in p.low_res],
        np.concatenate([p.predicted_iou for p in parts]),
        np.concatenate([p.outputs for p in parts]),
        join([p.sketches for p in parts]),
    )


def _inclusive(masks: list[FoundMask]) -> NDArray[np.float64]:
    """Boxes (N, 4) whose x1, y1 are the last set pixel: what the stock generator gives to its NMS."""
    return np.array([m.drawn.box_xyxy for m in masks]).reshape(-1, 4) - (0, 0, 1, 1)
