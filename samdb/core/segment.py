"""The segment: a mask with its scores, embeddings and provenance; the record that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.sample import Attribute
from samdb.core.vectors import Vector, check_embedding

Granularity: TypeAlias = Literal["whole", "part", "subpart"]
LabelSource: TypeAlias = Literal["box", "mask", "inherited", "predicted", "none"]
PromptKind: TypeAlias = Literal["box", "point", "mask", "grid"]

GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)

#: flag of a segment too small for the 64x64 grid: its pooled embeddings come from the cell that covers it
FLAG_SUB_CELL = "sub_cell"

#: flag of an automatic segment of a labelled image that touches no labelled object: known not to be one
FLAG_BACKGROUND = "background"

#: flag of a labelled object's mask that the automatic search found again, and which therefore is stored once
FLAG_FOUND = "found"


@dataclass(frozen=True, slots=True)
class Segment:
    """One stored segment.

    `box_xyxy` is the tight box of the mask (px, x1 and y1 exclusive); `label_box_xyxy` the box the dataset
    gave, if any. `embeddings` maps a recipe's name to a float32 vector of L2 norm 1. `predicted_iou` comes
    from a linear layer and may exceed 1; `stability_score` is in [0, 1].
    """

    segment_id: str
    dataset: str
    split: str
    image_id: str
    mask: Rle
    box_xyxy: Box
    area_px: int
    granularity: Granularity
    prompt_kind: PromptKind
    predicted_iou: float
    stability_score: float
    model: str
    run: str
    embeddings: Mapping[str, Vector]
    class_name: str | None = None
    source_category: str | None = None
    label_source: LabelSource = "none"
    label_id: str | None = None
    label_box_xyxy: Box | None = None
    parent_id: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, vector in self.embeddings.items():
            check_embedding(name, vector)
        if self.area_px <= 0:
            raise ValueError(f"segment {self.segment_id} is empty")
