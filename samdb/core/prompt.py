"""What is asked of SAM and what it answers: prompts and mask candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.segment import PromptKind


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to SAM: a box, points, a mask, or points with a box.

    `points_xy` are px in the upright image; `foreground` tells for each point whether it lies on the object
    (True) or on what must be left out (False).
    """

    box_xyxy: Box | None = None
    points_xy: tuple[tuple[float, float], ...] = ()
    foreground: tuple[bool, ...] = ()
    mask: Rle | None = None

    def __post_init__(self) -> None:
        if self.box_xyxy is None and not self.points_xy and self.mask is None:
            raise ValueError("a prompt needs a box, a point or a mask")
        if len(self.points_xy) != len(self.foreground):
            raise ValueError(f"{len(self.points_xy)} points but {len(self.foreground)} foreground marks")

    @property
    def kind(self) -> PromptKind:
        """What kind of prompt it is; a box wins over a mask, a mask over points."""
        if self.box_xyxy is not None:
            return "box"
        return "mask" if self.mask is not None else "point"


#: the `tokens` of a mask whose own box nobody has asked about
NO_TOKENS: NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class MaskCandidate:
    """A mask that SAM offers for a prompt.

    `output` is the decoder's output: 0 the single-mask one, 1-3 the multimask ones (NOT ordered by size or
    promise). `tokens` (4, D) float32 are the decoder's mask tokens of all four outputs for the mask's own
    box, or `NO_TOKENS` (0, 0) when nobody has asked for them yet: those of a point, or of the box of a whole
    that the mask is a part of, describe the question, not the mask.
    """

    mask: Rle
    box_xyxy: Box
    area_px: int
    predicted_iou: float
    stability_score: float
    output: int
    tokens: NDArray[np.float32]
    prompt_kind: PromptKind
