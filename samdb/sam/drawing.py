"""From low-resolution logits to masks of the image, with their stability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.sam.frame import Frame

#: SAM's mask threshold on the logits, and how far the stability score shifts it to either side
_THRESHOLD = 0.0
STABILITY_OFFSET = 1.0


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """A mask cut to its tight box: `pixels` bool (h, w) whose corner lies at `corner_yx` in the image."""

    pixels: NDArray[np.bool_]
    corner_yx: tuple[int, int]
    stability_score: float

    @property
    def area_px(self) -> int:
        """How many pixels are set."""
        return int(self.pixels.sum())

    @property
    def box_xyxy(self) -> Box:
        """Tight box in px, x1 and y1 exclusive."""
        (y, x), (h, w) = self.corner_yx, self.pixels.shape
        return (float(x), float(y), float(x + w), float(y + h))

    def moved(self, dy: int, dx: int) -> DrawnMask:
        """The same mask elsewhere, such as from a crop into its image."""
        y, x = self.corner_yx
        return DrawnMask(self.pixels, (y + dy, x + dx), self.stability_score)

    def rle(self, size_hw: tuple[int, int]) -> Rle:
        """The mask of the whole image."""
        return Rle.of_window(self.pixels, self.corner_yx, size_hw)


def draw_mask(frame: Frame, low_res: Tensor) -> DrawnMask | None:
    """Draw one mask from its logits (256, 256); None when no pixel of the image is set.

    The stability score is the IoU of the masks cut one logit above and one below the threshold. Source:
    segment_anything.utils.amg.calculate_stability_score.
    """
    window, (y0, x0) = frame.upscale(low_res, _THRESHOLD - STABILITY_OFFSET)
    logits = window.cpu().numpy()
    pixels = logits > _THRESHOLD
    rows, cols = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if len(rows) == 0:
        return None
    inner = np.count_nonzero(logits > _THRESHOLD + STABILITY_OFFSET)
    outer = np.count_nonzero(logits > _THRESHOLD - STABILITY_OFFSET)
    tight = pixels[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    return DrawnMask(np.ascontiguousarray(tight), (y0 + int(rows[0]), x0 + int(cols[0])), inner / outer)
