"""Reading labelled segments as arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samdb.errors import ConfigError, InputError
from samdb.pipelines.labelled_sample import fair_shares, numbered, read_parts, read_wholes
from samdb.stores.codec import segment_to_point
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from samdb.stores.migrate import migrate
from tests.pipelines.bank_worlds import LAYOUT, stored

AXES = np.eye(4, dtype=np.float32)


@pytest.fixture
def store() -> MemoryStore:
    """Four cars and a bus in two images, a part of a car, and a segment nobody labelled."""
    store = MemoryStore()
    migrate(store, LAYOUT)
    segments = [stored(f"car {i}", AXES[0], "car", image=f"{i % 2}.jpg") for i in range(4)]
    part = stored("wheel", AXES[3], "car", granularity="part", label_source="inherited")
    segments += [
        stored("bus", AXES[1], "bus", image="0.jpg"),
        replace(part, parent_id=segments[0].segment_id),
        stored("sky", AXES[2], None, prompt_kind="grid"),
    ]
    store.upsert(SEGMENTS, [segment_to_point(s) for s in segments])
    return store


def test_labelled_wholes_are_read_class_by_class(store: MemoryStore) -> None:
    sample = read_wholes(store, "neck", (), 100)
    assert (sample.class_names, sample.classes.tolist()) == (("bus", "car"), [0, 1, 1, 1, 1])
    np.testing.assert_array_equal(sample.vectors[:2], AXES[[1, 0]])
    assert (sample.n_images, sample.n_stored, len(sample)) == (2, 5, 5)
    assert sample.segment(0).class_name == "bus"
    assert set(sample.values("weather")) == {"unknown"}


def test_a_sample_keeps_rare_classes_and_is_the_same_every_time(store: MemoryStore) -> None:
    sample = read_wholes(store, "neck", (), 3)
    assert (sample.classes.tolist(), sample.n_stored) == ([0, 1, 1], 5)
    assert sample.ids == read_wholes(store, "neck", (), 3).ids


def test_parts_are_those_that_inherited_their_class(store: MemoryStore) -> None:
    parts = read_parts(store, "neck", (), 10)
    assert parts is not None
    assert parts.payloads[0]["parent_id"] == stored("car 0", AXES[0], "car").segment_id
    assert read_parts(store, "token", (), 10) is None


def test_shares_are_equal_for_all_classes_that_exceed_them() -> None:
    assert fair_shares({"car": 100, "sign": 50, "bus": 4}, 24) == {"bus": 4, "sign": 10, "car": 10}
    assert fair_shares({"car": 3, "bus": 2}, 100) == {"bus": 2, "car": 3}
    assert fair_shares({"a": 9, "b": 9, "c": 9}, 1) == {"a": 1, "b": 1, "c": 1}


def test_equal_keys_get_equal_numbers() -> None:
    assert numbered(["b", "a", "b"]).tolist() == [0, 1, 0]


def test_what_is_not_there_is_said(store: MemoryStore) -> None:
    with pytest.raises(ConfigError, match="choose from neck, token"):
        read_wholes(store, "nose", (), 10)
    with pytest.raises(InputError, match="samdb ingest"):
        read_wholes(store, "token", (), 10)
