"""Ids are written down here as text: a change would orphan every point that was ever stored."""

from __future__ import annotations

import itertools
import uuid

from samdb.core.ids import image_point_id, make_id, segment_point_id


def test_ids_are_what_they_always_were() -> None:
    assert make_id("a", "b") == "f2901804-e397-5047-8fd6-408c14652ede"
    assert image_point_id("bdd100k", "val/a.jpg") == "1da3cf35-091a-553f-858a-8152b8e87582"
    assert (
        segment_point_id("bdd100k", "val/a.jpg", "box:1", "0", "vit_t")
        == "7f08807b-8505-597b-99ba-77551c02a09e"
    )


def test_an_id_is_a_uuid_of_version_5_which_both_stores_accept() -> None:
    assert uuid.UUID(make_id("anything")).version == 5


def test_parts_do_not_run_into_each_other() -> None:
    ids = {make_id("ab", "c"), make_id("a", "bc"), make_id("abc"), make_id("abc", ""), make_id("", "abc")}
    assert len(ids) == 5


def test_every_part_of_a_segments_name_counts() -> None:
    names = [("d", "e"), ("i.jpg", "j.jpg"), ("box:1", "box:2"), ("0", "1"), ("vit_t", "vit_b")]
    assert len({segment_point_id(*parts) for parts in itertools.product(*names)}) == 2**5


def test_an_image_and_a_segment_never_share_an_id() -> None:
    assert image_point_id("d", "i") != segment_point_id("d", "i", "", "", "")
