"""Labelled objects: SAM is asked with their boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from samdb.core.boxes import Box, box_problem, clip_box
from samdb.core.masks import Rle, mask_containment
from samdb.core.prompt import NO_TOKENS, MaskCandidate, Prompt
from samdb.core.sample import Label
from samdb.pipelines.nesting import MAX_AREA_RATIO, MIN_CONTAINMENT
from samdb.pipelines.piece import Piece, Sam
from samdb.ports import EncodedImage

# a multimask output must be this good to be stored as a part (the stock generator asks for .88 and .95 of
# masks that nobody labelled; these lie inside an object that somebody did)
_PART_MIN_IOU = 0.8
_PART_MIN_STABILITY = 0.9
_PART_MIN_AREA_PX = 64


def usable_labels(
    labels: Sequence[Label], size_hw: tuple[int, int], problems: list[str]
) -> list[tuple[Label, Box]]:
    """Labels with the box to prompt with, clipped to the image; the others are reported."""
    usable: list[tuple[Label, Box]] = []
    for label in labels:
        if label.ignore:
            continue
        found = _prompt_box(label, size_hw)
        if isinstance(found, str):
            problems.append(f"label {label.label_id} ({label.category}): {found}")
        else:
            usable.append((label, found))
    return usable


def _prompt_box(label: Label, size_hw: tuple[int, int]) -> Box | str:
    """The label's box inside the image, or why it cannot be used."""
    height, width = size_hw
    if label.mask is not None and label.mask.size_hw != size_hw:
        h, w = label.mask.size_hw
        # its box is drawn in that other frame, too
        return f"its mask is made for an image of {w}x{h} px, this one is {width}x{height}"
    if label.mask is not None and label.mask.area_px == 0:
        return "its mask is empty"
    box = label.box_xyxy
    if box is None:
        assert label.mask is not None  # a label has a box or a mask
        box = label.mask.box_xyxy
    fault = box_problem(box)
    if fault is not None:
        return fault
    inside = clip_box(box, size_hw)
    if inside is None:
        return f"its box lies outside the image of {width}x{height} px"
    wide, high = inside[2] - inside[0], inside[3] - inside[1]
    if label.mask is None and (wide < 1 or high < 1):
        # SAM answers such a box with something else, many times its size
        return f"its box has {wide:.2g}x{high:.2g} px inside the image, less than a pixel"
    return inside


def label_pieces(
    sam: Sam,
    image: EncodedImage,
    labels: Sequence[tuple[Label, Box]],
    problems: list[str],
) -> list[Piece]:
    """Each label's whole, and those of SAM's other outputs for its box that lie inside and are good enough.

    A label with a mask keeps its own mask as the whole. What SAM finds no mask for is a problem.
    """
    pieces: list[Piece] = []
    answers = sam.prompt(image, [Prompt(box_xyxy=box) for _, box in labels])
    for (label, _), candidates in zip(labels, answers, strict=True):
        whole = next((c for c in candidates if c.output == 0), None)
        if whole is None:
            problems.append(f"label {label.label_id} ({label.category}): SAM finds no mask in its box")
            continue
        if label.mask is not None:
            whole = _with_mask(whole, label.mask)
        prompt = f"label:{label.label_id}"
        pieces.append(Piece(whole, prompt, label, is_labelled_whole=True))
        parts = [c for c in candidates if c.output != 0 and _is_good_part(c)]
        contained = mask_containment([c.mask for c in parts], [whole.mask])[:, 0] if parts else ()
        pieces += [
            Piece(part, prompt, label)
            for part, share in zip(parts, contained, strict=True)
            if share >= MIN_CONTAINMENT and part.area_px <= MAX_AREA_RATIO * whole.area_px
        ]
    return pieces


def _with_mask(candidate: MaskCandidate, mask: Rle) -> MaskCandidate:
    """The label's own mask with what SAM says of the same box."""
    return replace(
        candidate,
        mask=mask,
        box_xyxy=mask.box_xyxy,
        area_px=mask.area_px,
        tokens=NO_TOKENS,
        prompt_kind="mask",
    )


def _is_good_part(candidate: MaskCandidate) -> bool:
    return (
        candidate.predicted_iou >= _PART_MIN_IOU
        and candidate.stability_score >= _PART_MIN_STABILITY
        and candidate.area_px >= _PART_MIN_AREA_PX
    )
