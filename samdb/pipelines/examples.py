"""What a search starts from: stored segments, and what SAM cuts out of an image that is shown to it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import box_problem, clip_box
from samdb.core.ids import image_point_id
from samdb.core.masks import Rle, mask_iou
from samdb.core.points import Query
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.segment import Granularity, Segment
from samdb.core.vectors import Vector
from samdb.errors import InputError
from samdb.pipelines.nesting import find_parents, granularity_of
from samdb.ports import EncodedImage, Segmenter, VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import IMAGES, SEGMENTS

# a stored mask this close to the example's, of the same picture, is the example itself (as ingest has it)
_SAME_IOU = 0.8
# the example itself scores 1 or little less: among so many nearest segments it is found
_LOOK_AT = 32


@dataclass(frozen=True, slots=True)
class Example:
    """A segment to search by: its embedding, and the stored segments that are this very object.

    Those are never among the hits: nobody asks for what they hold in their hand.
    """

    vector: Vector
    same_as: frozenset[str] = frozenset()


def stored_example(store: VectorStore, segment_id: str, recipe: str) -> tuple[Example, Segment]:
    """A stored segment as an example, and the segment.

    Raises InputError when there is no such segment, or when it was stored without that recipe.
    """
    found = store.get(SEGMENTS, [_canonical(segment_id)], [recipe])
    if not found:
        raise InputError(
            f"there is no segment {segment_id} in {store.address}: `samdb search --json` prints the ids of "
            "stored segments (what `samdb classify` cuts is not stored)"
        )
    vector = found[0].vectors.get(recipe)
    if vector is None:
        raise InputError(
            f"segment {segment_id} has no {recipe!r} embedding: search with another --recipe, "
            f"or ingest again with --recipes {recipe}"
        )
    example = Example(np.asarray(vector, dtype=np.float32), frozenset({found[0].id}))
    return example, point_to_segment(found[0])


def prompted_examples(
    segmenter: Segmenter, pixels: NDArray[np.uint8], prompts: Sequence[Prompt], recipe: str
) -> list[tuple[Example, MaskCandidate]]:
    """What lies in an RGB image (H, W, 3) at each prompt, as an example, with its mask.

    Raises InputError as `cut_out` does.
    """
    image = segmenter.encode(pixels)
    chosen = cut_out(segmenter, image, prompts)
    vectors = segmenter.embed(image, chosen, (recipe,))
    return [(Example(v[recipe]), c) for v, c in zip(vectors, chosen, strict=True)]


def cut_out(segmenter: Segmenter, image: EncodedImage, prompts: Sequence[Prompt]) -> list[MaskCandidate]:
    """The mask of an encoded image at each prompt.

    For a box that is SAM's single-mask answer, for points the mask it believes in most; a mask is taken as
    it is, like the masks of a dataset. A box is clipped to the image.

    Raises InputError when a prompt lies outside the image or SAM finds nothing there.
    """
    asked = [_usable(prompt, image.size_hw) for prompt in prompts]
    chosen: list[MaskCandidate] = []
    for prompt, question, candidates in zip(prompts, asked, segmenter.prompt(image, asked), strict=True):
        if not candidates:
            raise InputError("SAM finds no mask there: give another box or point")
        best = max(candidates, key=lambda c: c.predicted_iou) if question.kind == "point" else candidates[0]
        if prompt.mask is not None and prompt.kind == "mask":
            mask = prompt.mask
            best = replace(
                best, mask=mask, box_xyxy=mask.box_xyxy, area_px=mask.area_px, prompt_kind=prompt.kind
            )
        chosen.append(best)
    return chosen


def offered_masks(
    segmenter: Segmenter, pixels: NDArray[np.uint8], prompt: Prompt
) -> list[tuple[MaskCandidate, Granularity]]:
    """Every mask that SAM offers for a prompt on an RGB image (H, W, 3), and how they lie in each other.

    The one that a search would take comes first. Raises InputError as `cut_out` does.
    """
    image = segmenter.encode(pixels)
    question = _usable(prompt, image.size_hw)
    candidates = segmenter.prompt(image, [question])[0]
    if not candidates:
        raise InputError("SAM finds no mask there: give another box or point")
    if question.kind == "point":
        candidates = sorted(candidates, key=lambda c: -c.predicted_iou)
    parents = find_parents([c.mask for c in candidates])
    return [(c, granularity_of(i, parents)) for i, c in enumerate(candidates)]


def recognised(
    store: VectorStore, found: Sequence[tuple[Example, MaskCandidate]], recipe: str, sha256: str
) -> list[tuple[Example, MaskCandidate]]:
    """Examples cut out of the image file with this hash, told which stored segments they are.

    A stored segment is the example itself when its image has the same bytes, wherever it lay when it was
    ingested, and the two masks overlap with an IoU of at least 0.8.
    """
    if not found:
        return []
    near = store.query(SEGMENTS, [Query(recipe, (e.vector,), limit=_LOOK_AT) for e, _ in found])
    keys = {
        h.id: image_point_id(str(h.payload["dataset"]), str(h.payload["image_id"]))
        for row in near
        for h in row
    }
    images = store.get(IMAGES, list(dict.fromkeys(keys.values()))) if keys else []
    same_bytes = {p.id for p in images if p.payload.get("sha256") == sha256}
    answer = []
    for (example, candidate), row in zip(found, near, strict=True):
        segments = [point_to_segment(h) for h in row if keys[h.id] in same_bytes]
        masks = [s for s in segments if s.mask.size_hw == candidate.mask.size_hw]
        overlap = mask_iou([candidate.mask], [s.mask for s in masks])[0]
        same = {s.segment_id for s, iou in zip(masks, overlap, strict=True) if iou >= _SAME_IOU}
        answer.append((replace(example, same_as=example.same_as | same), candidate))
    return answer


def same_masks(masks: Sequence[Rle], segments: Sequence[Segment]) -> list[str | None]:
    """For each mask of an image the id of its stored segment that is the same, if there is one."""
    if not segments or not masks:
        return [None] * len(masks)
    overlap = mask_iou(masks, [s.mask for s in segments])
    return [
        segments[best].segment_id if row[best] >= _SAME_IOU else None
        for row, best in zip(overlap, overlap.argmax(axis=1).tolist(), strict=True)
    ]


def _canonical(segment_id: str) -> str:
    try:
        return str(uuid.UUID(segment_id))
    except ValueError as exc:
        raise InputError(
            f"{segment_id!r} is not a segment id: `samdb search --json` prints them, "
            "such as d497a240-d8c5-5c80-84cd-32227648fc6e"
        ) from exc


def _usable(prompt: Prompt, size_hw: tuple[int, int]) -> Prompt:
    """The prompt as SAM is asked it: a mask by its box, a box clipped to the image."""
    height, width = size_hw
    size = f"the image of {width}x{height} px"
    for x, y in prompt.points_xy:
        if not (0 <= x <= width and 0 <= y <= height):
            raise InputError(f"the point ({x:g}, {y:g}) lies outside {size}")
    if prompt.mask is not None:
        if prompt.mask.size_hw != size_hw:
            mask_height, mask_width = prompt.mask.size_hw
            raise InputError(f"the mask is {mask_width}x{mask_height} px: it must be as large as {size}")
        if prompt.mask.area_px == 0:
            raise InputError("the mask is empty: mark the object in it")
    if prompt.box_xyxy is not None:
        if fault := box_problem(prompt.box_xyxy):
            raise InputError(f"{fault}: give X0,Y0,X1,Y1 in pixels of the image")
        box = clip_box(prompt.box_xyxy, size_hw)
        if box is None:
            shown = ",".join(f"{v:g}" for v in prompt.box_xyxy)
            raise InputError(f"the box {shown} lies outside {size}")
        return replace(prompt, box_xyxy=box)
    if prompt.mask is not None:
        return Prompt(box_xyxy=prompt.mask.box_xyxy)
    return prompt
