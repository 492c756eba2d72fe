"""Records refuse what must not be stored, at birth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from samdb.core.masks import Rle
from samdb.core.sample import Label
from samdb.core.segment import GRANULARITIES, Segment
from samdb.core.vectors import Vector

MASK = Rle.encode(np.ones((2, 3), dtype=bool))
UNIT: Vector = np.array([0.6, 0.8], dtype=np.float32)


def segment(embedding: Vector = UNIT, area_px: int = 6) -> Segment:
    return Segment(
        segment_id="s1",
        dataset="toy",
        split="val",
        image_id="a.jpg",
        mask=MASK,
        box_xyxy=MASK.box_xyxy,
        area_px=area_px,
        granularity="whole",
        prompt_kind="box",
        predicted_iou=1.01,
        stability_score=0.97,
        model="vit_t",
        run="r1",
        embeddings={"neck": embedding},
    )


def test_a_good_segment_is_made_and_cannot_be_changed() -> None:
    made = segment()
    assert made.label_source == "none"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.area_px = 7  # type: ignore[misc]


@pytest.mark.parametrize(
    "bad",
    [
        np.array([np.nan, 0.0], dtype=np.float32),
        np.zeros(2, dtype=np.float32),
        np.array([3.0, 4.0], dtype=np.float32),
    ],
)
def test_an_embedding_that_is_nan_zero_or_not_unit_is_refused(bad: Vector) -> None:
    with pytest.raises(ValueError, match="'neck' must have L2 norm 1"):
        segment(bad)


def test_an_embedding_in_double_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="must be float32"):
        segment(np.array([0.6, 0.8], dtype=np.float64))


def test_an_empty_segment_is_refused() -> None:
    with pytest.raises(ValueError, match="s1 is empty"):
        segment(area_px=0)


def test_the_granularities_go_from_large_to_small() -> None:
    assert GRANULARITIES == ("whole", "part", "subpart")


def test_a_label_needs_a_box_or_a_mask() -> None:
    with pytest.raises(ValueError, match="neither a box nor a mask"):
        Label("7", "car", "car")
    assert Label("7", "car", "car", mask=MASK).box_xyxy is None
