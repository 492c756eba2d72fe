"""Search by example, the masks at a prompt, and what a bank says of an image."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request
from starlette.responses import Response

from samdb.core.outlines import mask_outlines
from samdb.core.prompt import Prompt
from samdb.core.sample import Sample
from samdb.core.segment import Segment
from samdb.core.where import parse_where
from samdb.pipelines.browse import segments_of
from samdb.pipelines.classify import ClassifiedSegment
from samdb.pipelines.examples import same_masks
from samdb.server.bodies import ClassifyIn, MasksIn, SearchIn
from samdb.server.models import (
    Candidate,
    ClassifiedInfo,
    ClassifyAnswer,
    ErrorAnswer,
    HitInfo,
    MaskInfo,
    MaskList,
    SearchAnswer,
)
from samdb.server.params import TheBackend
from samdb.server.prompting import examples_of, image_file
from samdb.server.showing import answer, show_mask, show_segment

_SLOW = {
    410: {"model": ErrorAnswer, "description": "an image's file is gone, or was changed since"},
    429: {"model": ErrorAnswer, "description": "too many prompts of this client: see Retry-After"},
    503: {"model": ErrorAnswer, "description": "Segment Anything is busy: see Retry-After"},
}
router = APIRouter(prefix="/api", tags=["search"], responses=_SLOW)  # type: ignore[arg-type]


@router.post("/search", response_model=SearchAnswer)
def search(request: Request, backend: TheBackend, body: SearchIn) -> Response:
    """Segments like the positives and unlike the negatives, best first.

    The examples themselves are never among the hits. With stored segments alone SAM is not asked.
    """
    began = time.perf_counter()
    parse_where(body.where)  # before SAM is asked: a slip of the pen need not wait for it
    recipe = body.recipe or backend.default_recipe()
    backend.db.check_recipe(recipe)
    examples = examples_of(request, backend, [*body.positives, *body.negatives], recipe)
    cut_at = time.perf_counter()
    n, uses_sam = len(body.positives), any(e.segment_id is None for e in (*body.positives, *body.negatives))
    hits = backend.db.search(
        positives=examples[:n],
        negatives=examples[n:],
        where=body.where,
        recipe=recipe,
        limit=body.limit,
        offset=body.offset,
        per_image=body.per_image,
    )
    full = len(hits) == body.limit
    items = [HitInfo(rank=h.rank, score=h.score, segment=show_segment(h.segment)) for h in hits]
    return answer(
        SearchAnswer(
            items=items,
            next_offset=body.offset + body.limit if full else None,
            took_ms=round((time.perf_counter() - began) * 1e3, 2),
            sam_ms=round((cut_at - began) * 1e3, 2) if uses_sam else 0.0,
        )
    )


@router.post("/masks", response_model=MaskList)
def masks(request: Request, backend: TheBackend, body: MasksIn) -> Response:
    """The masks that SAM offers for a box or points, the one that a search would take first."""
    path = image_file(backend, body.image_key, body.upload_id)
    foreground = (True,) * len(body.points) if body.foreground is None else tuple(body.foreground)
    prompt = Prompt(body.box_xyxy, tuple(body.points), foreground)
    found = backend.with_sam(request, lambda: backend.db.masks(path, prompt))
    items = [
        MaskInfo(
            output=c.output,
            predicted_iou=c.predicted_iou,
            stability_score=c.stability_score,
            box_xyxy=list(c.box_xyxy),
            area_px=c.area_px,
            granularity=granularity,
            polygons=mask_outlines(c.mask),
            mask=show_mask(c.mask),
        )
        for c, granularity in found
    ]
    return answer(MaskList(items=items))


@router.post("/classify", response_model=ClassifyAnswer)
def classify(request: Request, backend: TheBackend, body: ClassifyIn) -> Response:
    """What a bank says of everything on an image, one answer per object, or of what lies in given boxes.

    Without a bank of the store's own the one that comes with samdb answers: `built_in` says so.
    """
    source = backend.answering(body.bank)
    path = image_file(backend, body.image_key, body.upload_id)
    sample = Sample("upload", "", path.name, path)
    stored: list[Segment] = []
    if body.image_key is not None:
        image = backend.stored_image(body.image_key)
        sample = Sample(image.dataset, image.split, image.entry.image_id, path)
        stored = segments_of(backend.db.store, image)
    found = backend.with_sam(
        request,
        lambda: backend.db.classify(
            sample, prompts="auto", boxes_xyxy=body.boxes_xyxy, bank=source.card.label
        ),
    )
    shown = [*found.segments, *(found.hidden if body.all_segments else ())]
    ids = same_masks([s.segment.mask for s in shown], stored)
    items = [_one(s, segment_id) for s, segment_id in zip(shown, ids, strict=True)]
    return answer(
        ClassifyAnswer(
            bank=source.card.label, built_in=source.built_in, items=items, problems=list(found.problems)
        )
    )


def _one(found: ClassifiedSegment, segment_id: str | None) -> ClassifiedInfo:
    segment, said = found.segment, found.prediction
    return ClassifiedInfo(
        box_xyxy=list(segment.box_xyxy),
        polygons=mask_outlines(segment.mask),
        mask=show_mask(segment.mask),
        granularity=segment.granularity,
        class_name=said.class_name,
        score=said.score,
        runner_up=said.runner_up,
        outcome=said.outcome,
        reason=said.reason,
        candidates=[Candidate(class_name=name, score=score) for name, score in said.scores],
        segment_id=segment_id,
    )
