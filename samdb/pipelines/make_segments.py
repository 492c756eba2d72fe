"""Pieces to segments: the whole/part tree, inherited labels, ids, embeddings."""

from __future__ import annotations

from samdb.core.ids import segment_point_id
from samdb.core.sample import Label, Sample
from samdb.core.segment import FLAG_SUB_CELL, LabelSource, Segment
from samdb.pipelines.nesting import find_parents, granularity_of, root_of
from samdb.pipelines.piece import Piece, Pieces
from samdb.ports import Segmenter


def make_segments(segmenter: Segmenter, found: Pieces, sample: Sample, run: str) -> tuple[Segment, ...]:
    """The segments of an image. SAM is asked nothing: any thread may do this.

    Raises ValueError when a mask has no embedding, such as one that is not finite.
    """
    pieces = found.pieces
    roots = frozenset(i for i, p in enumerate(pieces) if p.is_labelled_whole)
    parents = find_parents([p.candidate.mask for p in pieces], roots)
    ids = [
        segment_point_id(sample.dataset, sample.image_id, p.prompt, str(p.candidate.output), segmenter.model)
        for p in pieces
    ]
    embeddings = found.description.embeddings()
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


def _label_source(piece: Piece, label: Label | None) -> LabelSource:
    if label is None:
        return "none"
    if not piece.is_labelled_whole:
        return "inherited"
    return "box" if label.mask is None else "mask"
