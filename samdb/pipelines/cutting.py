"""One image to its segments: prompts, masks, the whole/part tree, embeddings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from samdb.core.boxes import Box, box_problem, clip_box
from samdb.core.ids import segment_point_id
from samdb.core.masks import Rle, mask_containment, mask_iou, mask_union
from samdb.core.prompt import NO_TOKENS, MaskCandidate, Prompt
from samdb.core.sample import Label, Sample
from samdb.core.segment import FLAG_BACKGROUND, FLAG_SUB_CELL, LabelSource, Segment
from samdb.pipelines.nesting import MAX_AREA_RATIO, MIN_CONTAINMENT, find_parents, granularity_of, root_of
from samdb.ports import EncodedImage, Segmenter

PromptMode: TypeAlias = Literal["labels", "auto", "both"]
PROMPT_MODES: tuple[PromptMode, ...] = get_args(PromptMode)

#: raise this when the rules below change: images cut by older rules are then cut again
CUT_VERSION = 2

# a multimask output must be this good to be stored as a part (the stock generator asks for .88 and .95 of
# masks that nobody labelled; these lie inside an object that somebody did)
_PART_MIN_IOU = 0.8
_PART_MIN_STABILITY = 0.9
_PART_MIN_AREA_PX = 64
# an automatic mask this close to a labelled object's is that object again
_SAME_IOU = 0.8
# an automatic mask with less than this share of its area on labelled objects is background
_TOUCH = 0.05


@dataclass(frozen=True, slots=True)
class CutSettings:
    """What to cut, and how to describe it."""

    prompts: PromptMode
    recipes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The segments of an image, and what was left out with its reason."""

    segments: tuple[Segment, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A mask on its way to a segment. `prompt` and its output name it within the image."""

    candidate: MaskCandidate
    prompt: str
    label: Label | None = None
    is_labelled_whole: bool = False
    flags: tuple[str, ...] = ()


def cut_image(
    segmenter: Segmenter, image: EncodedImage, sample: Sample, settings: CutSettings, run: str
) -> Cut:
    """Cut an encoded image into segments.

    Labels prompt SAM with their box; a label with a mask keeps its own mask as the whole. Of the other
    outputs for that box those that lie inside are parts. Automatic masks that repeat a labelled object are
    dropped, those inside one become its parts and inherit its class. Labels marked ignore prompt nothing,
    yet what touches them is not background.
    """
    problems: list[str] = list(sample.problems)
    pieces: list[_Piece] = []
    if settings.prompts in ("labels", "both"):
        labels = _usable_labels(sample.labels, image.size_hw, problems)
        pieces += _labelled_pieces(segmenter, image, labels, problems)
    if settings.prompts in ("auto", "both"):
        pieces += _automatic_pieces(segmenter, image, sample, pieces)
    pieces = _once_each(pieces)
    return Cut(_segments(segmenter, image, sample, pieces, settings, run), tuple(problems))


def _usable_labels(
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


def _labelled_pieces(
    segmenter: Segmenter,
    image: EncodedImage,
    labels: Sequence[tuple[Label, Box]],
    problems: list[str],
) -> list[_Piece]:
    pieces: list[_Piece] = []
    answers = segmenter.prompt(image, [Prompt(box_xyxy=box) for _, box in labels])
    for (label, _), candidates in zip(labels, answers, strict=True):
        whole = next((c for c in candidates if c.output == 0), None)
        if whole is None:
            problems.append(f"label {label.label_id} ({label.category}): SAM finds no mask in its box")
            continue
        if label.mask is not None:
            whole = _with_mask(whole, label.mask)
        prompt = f"label:{label.label_id}"
        pieces.append(_Piece(whole, prompt, label, is_labelled_whole=True))
        parts = [c for c in candidates if c.output != 0 and _is_good_part(c)]
        contained = mask_containment([c.mask for c in parts], [whole.mask])[:, 0] if parts else ()
        pieces += [
            _Piece(part, prompt, label)
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


def _automatic_pieces(
    segmenter: Segmenter, image: EncodedImage, sample: Sample, labelled: Sequence[_Piece]
) -> list[_Piece]:
    """Automatic masks that are not there already, flagged when they surely show no labelled object."""
    found = _different(segmenter.automatic(image))
    masks = [c.mask for c in found]
    again = mask_iou(masks, [p.candidate.mask for p in labelled]) >= _SAME_IOU
    background = _background(masks, sample, image.size_hw)
    return [
        _Piece(
            candidate,
            f"grid:{hashlib.sha1(candidate.mask.counts.encode()).hexdigest()[:20]}",
            flags=(FLAG_BACKGROUND,) if background[i] else (),
        )
        for i, candidate in enumerate(found)
        if not again[i].any()
    ]


def _different(found: Sequence[MaskCandidate]) -> list[MaskCandidate]:
    """Each mask once, its first: in an image of a few pixels many points give the very same."""
    return list({c.mask.counts: c for c in reversed(found)}.values())[::-1]


def _background(masks: Sequence[Rle], sample: Sample, size_hw: tuple[int, int]) -> list[bool]:
    """For each mask whether it is known to show none of the objects that were labelled.

    Nothing is known of an image that nobody labelled, nor where a label had to be left out: its object may be
    anywhere.
    """
    objects = [_object_mask(label, size_hw) for label in sample.labels]
    if not sample.has_labels or sample.problems or any(o is None for o in objects):
        return [False] * len(masks)
    # all objects at once: a mask over a crowd may have little of its area on any one of them
    known = [o for o in objects if o is not None and o.area_px > 0]
    if not masks or not known:
        return [True] * len(masks)
    share = mask_containment(masks, [mask_union(known)])[:, 0]
    return [bool(s < _TOUCH) for s in share]


def _object_mask(label: Label, size_hw: tuple[int, int]) -> Rle | None:
    """Where a labelled object is: its mask, else every pixel of its box; None when that cannot be told."""
    if label.mask is not None:
        return label.mask if label.mask.size_hw == size_hw and label.mask.area_px > 0 else None
    box = label.box_xyxy
    if box is None or box_problem(box):
        return None
    clipped = clip_box(box, size_hw)
    if clipped is None:
        return Rle.encode(np.zeros(size_hw, dtype=bool))
    x0, y0, x1, y1 = clipped
    return Rle.from_polygons([[x0, y0, x1, y0, x1, y1, x0, y1]], size_hw)


def _once_each(pieces: Sequence[_Piece]) -> list[_Piece]:
    """One piece per id, the first, even where a dataset gives several labels the same."""
    return list({(p.prompt, p.candidate.output): p for p in reversed(pieces)}.values())[::-1]


def _segments(
    segmenter: Segmenter,
    image: EncodedImage,
    sample: Sample,
    pieces: Sequence[_Piece],
    settings: CutSettings,
    run: str,
) -> tuple[Segment, ...]:
    roots = frozenset(i for i, p in enumerate(pieces) if p.is_labelled_whole)
    parents = find_parents([p.candidate.mask for p in pieces], roots)
    ids = [
        segment_point_id(sample.dataset, sample.image_id, p.prompt, str(p.candidate.output), segmenter.model)
        for p in pieces
    ]
    embeddings = segmenter.embed(image, [p.candidate for p in pieces], settings.recipes)
    segments = []
    for i, piece in enumerate(pieces):
        candidate, parent = piece.candidate, parents[i]
        label = pieces[root_of(i, parents)].label
        sub_cell = (FLAG_SUB_CELL,) if segmenter.is_sub_cell(candidate.mask) else ()
        segments.append(
            Segment(
                segment_id=ids[i],
                dataset=sample.dataset,
                split=sample.split,
                image_id=sample.image_id,
                mask=candidate.mask,
                box_xyxy=candidate.box_xyxy,
                area_px=candidate.area_px,
                granularity=granularity_of(i, parents),
                prompt_kind=candidate.prompt_kind,
                predicted_iou=candidate.predicted_iou,
                stability_score=candidate.stability_score,
                model=segmenter.model,
                run=run,
                embeddings=embeddings[i],
                class_name=None if label is None else label.class_name,
                source_category=None if label is None else label.category,
                label_source=_label_source(piece, label),
                label_id=None if label is None else label.label_id,
                label_box_xyxy=label.box_xyxy if label is not None and piece.is_labelled_whole else None,
                parent_id=None if parent is None else ids[parent],
                attributes={**sample.attributes, **({} if label is None else label.attributes)},
                flags=piece.flags + sub_cell,
            )
        )
    return tuple(segments)


def _label_source(piece: _Piece, label: Label | None) -> LabelSource:
    if label is None:
        return "none"
    if not piece.is_labelled_whole:
        return "inherited"
    return "box" if label.mask is None else "mask"
