"""Segments as points and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samdb.core.head import HEAD_KEY
from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.sample import Attribute
from samdb.core.segment import Segment
from samdb.errors import StoreError
from samdb.ports import VectorStore
from samdb.stores.codec import RELABELLED, RESERVED, point_to_segment, segment_to_point
from samdb.stores.layout import SEGMENTS, LayoutParams
from samdb.stores.migrate import migrate
from tests.stores.worlds import uid, vec

_MASK = np.zeros((6, 8), dtype=bool)
_MASK[1:4, 2:7] = True

FULL = Segment(
    segment_id=uid(7),
    dataset="bdd100k",
    split="val",
    image_id="images/100k/val/a b.jpg",
    mask=Rle.encode(_MASK),
    box_xyxy=(2.0, 1.0, 7.0, 4.0),
    area_px=15,
    granularity="part",
    prompt_kind="box",
    predicted_iou=1.03,
    stability_score=0.97,
    model="vit_t",
    run="2024-01-01T00:00:00",
    embeddings={"neck": vec(0.6, 0.8, 0, 0), "proj": vec(0, 1)},
    class_name="traffic light",
    source_category="traffic light",
    label_source="inherited",
    label_id="007",
    label_box_xyxy=(1.5, 0.5, 7.5, 4.5),
    parent_id=uid(6),
    attributes={"weather": "rainy", "occluded": True, "lanes": 3, "speed": 13.5, "truncated": False},
    flags=("sub_cell",),
)
BARE = replace(
    FULL,
    segment_id=uid(8),
    class_name=None,
    source_category=None,
    label_source="none",
    label_id=None,
    label_box_xyxy=None,
    parent_id=None,
    attributes={},
    flags=(),
    embeddings={},
)


def same(a: Segment, b: Segment) -> None:
    assert set(a.embeddings) == set(b.embeddings)
    for name, vector in a.embeddings.items():
        np.testing.assert_allclose(b.embeddings[name], vector, atol=1e-6)
    assert replace(a, embeddings={}) == replace(b, embeddings={})


@pytest.mark.parametrize("segment", [FULL, BARE], ids=["full", "bare"])
def test_a_segment_comes_back_as_it_was(segment: Segment) -> None:
    same(segment, point_to_segment(segment_to_point(segment)))


def test_what_is_none_or_empty_is_no_key() -> None:
    payload = segment_to_point(BARE).payload
    left_out = {"class_name", "source_category", "label_id", "label_box_xyxy", "parent_id", "flags"}
    assert not left_out & set(payload)
    assert payload["label_source"] == "none"
    older = Point(BARE.segment_id, {}, {**payload, "flags": []})  # as it was written before
    same(BARE, point_to_segment(older))


def test_attributes_stand_at_the_top_where_they_can_be_filtered_on() -> None:
    payload = segment_to_point(FULL).payload
    assert (payload["weather"], payload["occluded"], payload["lanes"]) == ("rainy", True, 3)


def test_attributes_cannot_overwrite_what_samdb_writes() -> None:
    attributes: dict[str, Attribute] = {"model": "T", "area_px": 3, "attr_model": "twice", "flags": "x"}
    segment = replace(FULL, attributes=attributes)
    point = segment_to_point(segment)
    assert point.payload["model"] == "vit_t"
    assert point.payload["attr_model"] == "T"
    assert point_to_segment(point).attributes == attributes


def test_every_reserved_key_is_one_that_is_written() -> None:
    # what a head marks is written by who projects, what a person renamed by who relabels
    written = segment_to_point(replace(FULL, attributes={})).payload
    assert {*written, HEAD_KEY, RELABELLED} == RESERVED


def test_a_point_that_is_no_segment_says_so() -> None:
    with pytest.raises(StoreError, match="not a whole segment"):
        point_to_segment(Point(uid(1), {}, {"dataset": "x"}))
    good = segment_to_point(FULL)
    for broken in ({"granularity": "huge"}, {"box_xyxy": [1, 2]}, {"area_px": "15"}, {"flags": "sub_cell"}):
        with pytest.raises(StoreError, match="not a whole segment"):
            point_to_segment(Point(good.id, {}, {**good.payload, **broken}))


def test_a_segment_comes_back_from_every_store(bare_store: VectorStore) -> None:
    migrate(bare_store, LayoutParams("vit_t", {"neck": 4, "proj": 2}))
    bare_store.upsert(SEGMENTS, [segment_to_point(FULL), segment_to_point(BARE)])
    full, bare = bare_store.scroll(SEGMENTS, with_vectors=("neck", "proj"))
    same(FULL, point_to_segment(full))
    same(BARE, point_to_segment(bare))
