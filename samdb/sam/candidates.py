"""From the decoder's answer to mask candidates: the single mask, and the other outputs worth having."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.core.prompt import NO_TOKENS, MaskCandidate, Prompt
from samdb.sam.decoder import Attended, Decoder
from samdb.sam.drawing import draw_mask
from samdb.sam.frame import Frame

#: a multimask output this similar to a better one is the same mask again
_SAME_MASK_IOU = 0.9


def draw_candidates(
    decoder: Decoder, frame: Frame, prompts: Sequence[Prompt], state: Attended, min_predicted_iou: float
) -> list[list[MaskCandidate]]:
    """For each prompt its masks: the single-mask output first when it is not empty, then the multimask
    outputs of at least `min_predicted_iou` that differ from it and from each other.
    """
    worth = state.predicted_iou >= min_predicted_iou
    worth[:, 0] = True
    logits = decoder.draw(state, worth, frame.cells_hw)
    # to the CPU once, not mask by mask: on a GPU each time waits for all that was asked before
    coarse: NDArray[np.bool_] = (logits > 0).cpu().numpy()
    quality: list[list[float]] = state.predicted_iou.tolist()
    tokens: NDArray[np.float32] = state.tokens.cpu().numpy()
    drawn: list[list[tuple[int, int]]] = [[] for _ in prompts]
    for place, (row, output) in enumerate(worth.nonzero().tolist()):
        drawn[row].append((place, output))
    answers: list[list[MaskCandidate]] = [[] for _ in prompts]
    for row, prompt in enumerate(prompts):
        for place, output in _distinct(drawn[row], quality[row], coarse):
            mask = draw_mask(frame, logits[place])
            if mask is None:
                continue
            answers[row].append(
                MaskCandidate(
                    mask=mask.rle(frame.size_hw),
                    box_xyxy=mask.box_xyxy,
                    area_px=mask.area_px,
                    predicted_iou=quality[row][output],
                    stability_score=mask.stability_score,
                    output=output,
                    tokens=tokens[row] if output == 0 and prompt.kind == "box" else NO_TOKENS,
                    prompt_kind=prompt.kind,
                )
            )
    return answers


def _distinct(
    drawn: Sequence[tuple[int, int]], quality: Sequence[float], coarse: NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Drop multimask outputs that repeat the single mask or a better multimask output.

    `drawn` are a prompt's (index of the mask, output), `coarse` all masks (N, h, w).
    """
    ordered = sorted(drawn, key=lambda item: (item[1] != 0, -quality[item[1]]))
    kept: list[tuple[int, int]] = []
    for place, output in ordered:
        if all(_iou(coarse[place], coarse[other]) < _SAME_MASK_IOU for other, _ in kept):
            kept.append((place, output))
    return kept


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 1.0
