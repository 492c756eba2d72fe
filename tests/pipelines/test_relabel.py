"""Naming stored segments by hand, worked out on four segments in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samdb.core.vectors import Vector
from samdb.errors import ConfigError, InputError
from samdb.pipelines.relabel import relabel, undo_relabel
from samdb.stores.codec import point_to_segment, segment_to_point
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import memory_store, stored
from tests.stores.worlds import vec

E0: Vector = vec(1, 0, 0, 0)


@pytest.fixture
def store() -> MemoryStore:
    """A car with a part that inherited its class and a part of that, and an unnamed segment."""
    made = memory_store()
    car, bare = stored("car", E0, "car"), stored("bare", E0, None)
    part = replace(
        stored("part", E0, "car"), parent_id=car.segment_id, label_source="inherited", granularity="part"
    )
    inner = replace(
        stored("inner", E0, "car"), parent_id=part.segment_id, label_source="inherited", granularity="subpart"
    )
    made.upsert(SEGMENTS, [segment_to_point(s) for s in (car, part, inner, bare)])
    return made


def ids(*names: str) -> list[str]:
    return [stored(name, E0, None).segment_id for name in names]


def named(store: MemoryStore, *names: str) -> list[tuple[str | None, str]]:
    """The class of each segment and where it comes from."""
    found = [point_to_segment(p) for p in store.get(SEGMENTS, ids(*names))]
    return [(s.class_name, s.label_source) for s in found]


def test_parts_that_inherited_their_class_follow_and_come_back(store: MemoryStore) -> None:
    before = named(store, "car", "part", "inner", "bare")
    done = relabel(store, ids("car", "bare"), " truck ")
    assert (done.changed, done.inherited) == (2, 2)
    assert named(store, "car", "part", "inner", "bare") == [
        ("truck", "predicted"),
        ("truck", "inherited"),
        ("truck", "inherited"),
        ("truck", "predicted"),
    ]
    assert undo_relabel(store, done.undo_id) == 4
    assert named(store, "car", "part", "inner", "bare") == before


def test_changes_are_taken_back_one_by_one_also_by_their_ids(store: MemoryStore) -> None:
    first = relabel(store, ids("bare"), "cone")
    second = relabel(store, ids("bare"), "post")
    with pytest.raises(InputError, match="take that back first"):
        undo_relabel(store, first.undo_id, first.segment_ids)
    assert undo_relabel(store, second.undo_id, second.segment_ids) == 1
    assert named(store, "bare") == [("cone", "predicted")]
    assert undo_relabel(store, first.undo_id) == 1
    assert named(store, "bare") == [(None, "none")]


def test_a_segment_remembers_its_last_changes_only(store: MemoryStore) -> None:
    changes = [relabel(store, ids("bare"), f"name {i}") for i in range(12)]
    for change in reversed(changes[4:]):
        assert undo_relabel(store, change.undo_id) == 1
    assert named(store, "bare") == [("name 3", "predicted")]
    with pytest.raises(InputError, match="nothing left"):
        undo_relabel(store, changes[3].undo_id)


def test_what_cannot_be_changed_changes_nothing(store: MemoryStore) -> None:
    before = named(store, "car", "bare")
    with pytest.raises(InputError, match="nothing was changed"):
        relabel(store, [*ids("car"), ids("nobody")[0]], "truck")
    for name in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(ConfigError, match="printable"):
            relabel(store, ids("car"), name)
    assert named(store, "car", "bare") == before
