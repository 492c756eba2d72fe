"""Prototypes per class and granularity."""

from __future__ import annotations

import random

import numpy as np

from samdb.bank.prototypes import fit_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from tests.bank.worlds import around, segment, unit

SETTINGS = BankSettings(k=4, segments_per_centre=2)


def test_whole_and_part_segments_are_clustered_apart() -> None:
    # a whole car along e0, its parts along e1: one common centre would lie between, near neither
    table = SegmentTable.of(
        [segment(f"w{i}", unit(1, 0, 0.1 * i, 0), "car") for i in range(3)]
        + [segment("p", unit(0, 1, 0, 0), "car", granularity="part")]
        + [segment("s", unit(0, 1, 0, 0.1), "car", granularity="subpart")]
    )
    found = fit_prototypes(table, BankSettings(k=1), bank="b", version=1)
    assert {(p.granularity, p.count) for p in found} == {("whole", 3), ("part", 2)}
    part = next(p for p in found if p.granularity == "part")
    assert part.vector[0] == 0.0


def test_a_small_class_gets_fewer_centres() -> None:
    table = SegmentTable.of([*around(0, 40, "car"), *around(1, 5, "bus"), *around(2, 1, "train")])
    found = fit_prototypes(table, SETTINGS, bank="b", version=1)
    centres = {name: sum(p.class_name == name for p in found) for name in table.classes}
    assert centres == {"car": 4, "bus": 2, "train": 1}


def test_background_has_its_own_prototypes_without_a_class() -> None:
    table = SegmentTable.of([*around(0, 8, "car"), *around(3, 8, None)])
    found = fit_prototypes(
        table, BankSettings(k=2, background_k=3, segments_per_centre=2), bank="b", version=1
    )
    background = [p for p in found if p.class_name is None]
    assert len(background) == 3
    assert {p.origin for p in background} == {"background"}


def test_the_order_in_which_segments_come_changes_nothing() -> None:
    segments = [*around(0, 60, "car"), *around(1, 60, "bus")]
    first = fit_prototypes(SegmentTable.of(segments), SETTINGS, bank="b", version=1)
    random.Random(1).shuffle(segments)
    second = fit_prototypes(SegmentTable.of(segments), SETTINGS, bank="b", version=1)
    assert [p.vector.tobytes() for p in first] == [p.vector.tobytes() for p in second]
    assert [p.exemplar_id for p in first] == [p.exemplar_id for p in second]
    assert [p.prototype_id for p in first] == [p.prototype_id for p in second]


def test_pruning_a_class_leaves_the_others_as_they_were() -> None:
    cars, buses = around(0, 60, "car"), around(1, 60, "bus")
    both = fit_prototypes(SegmentTable.of([*cars, *buses]), SETTINGS, bank="b", version=1)
    alone = fit_prototypes(SegmentTable.of(cars), SETTINGS, bank="b", version=1)
    of_car = [p.vector for p in both if p.class_name == "car"]
    assert np.array_equal(np.stack(of_car), np.stack([p.vector for p in alone]))


def test_every_exemplar_is_a_segment_of_its_class() -> None:
    cars, buses = around(0, 30, "car"), around(1, 30, "bus")
    ids = {"car": {s.segment_id for s in cars}, "bus": {s.segment_id for s in buses}}
    for p in fit_prototypes(SegmentTable.of([*cars, *buses]), SETTINGS, bank="b", version=1):
        assert p.class_name is not None
        assert p.exemplar_id in ids[p.class_name]
