"""Learned prototypes become a bank's."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.bank.calibrate import calibrate, calibrate_bank
from samdb.bank.learned import learned_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.whitening import fit_whitening
from samdb.core.head import Head
from tests.bank.worlds import around, prototype, segment, unit

# two prototypes of bus, two of car, two of background; what looks back has nobody
ROWS = np.array(
    [[[1, 0, 0], [-1, 0, 0]], [[0, 1, 0], [0, 0.6, 0.8]], [[0, 0, 1], [0, 0, -1]]], dtype=np.float32
)


def table() -> SegmentTable:
    return SegmentTable.of(
        [
            segment("b1", unit(1, 0.2, 0), "bus"),
            segment("b2", unit(1, 0.1, 0), "bus"),
            segment("c1", unit(0, 1, 0), "car"),
            segment("c2", unit(0, 1, 1), "car", granularity="part"),
            segment("n", unit(0, 0, 1), None),
        ]
    )


def test_a_prototype_counts_its_nearest_segments_and_points_at_the_closest() -> None:
    found = {p.class_name: p for p in learned_prototypes(ROWS, table(), bank="b", version=1)}
    bus = found["bus"]
    assert (bus.count, bus.origin, bus.granularity) == (2, "learned", "whole")
    assert bus.exemplar_id == segment("b2", unit(1, 0, 0), "bus").segment_id


def test_a_prototype_that_no_segment_is_nearest_to_is_left_out() -> None:
    found = learned_prototypes(ROWS, table(), bank="b", version=1)
    assert sorted((p.class_name or "", p.count, p.granularity) for p in found) == [
        ("", 1, "whole"),
        ("bus", 2, "whole"),
        ("car", 1, "part"),
        ("car", 1, "whole"),
    ]
    assert [p.prototype_id for p in found] == sorted(p.prototype_id for p in found)
    assert {p.origin for p in found if p.class_name is None} == {"background"}


def test_prototypes_of_other_classes_than_the_segments_are_refused() -> None:
    with pytest.raises(ValueError, match="2 classes of prototypes, 3 of segments"):
        learned_prototypes(ROWS[:2], table(), bank="b", version=1)


def test_a_finished_bank_is_calibrated_on_wholes_it_has_not_seen() -> None:
    part = segment("p", unit(0, 0, 1, 0), "car", granularity="part")
    judges = [*around(0, 30, "car"), *around(1, 30, "bus"), part]
    bank = [prototype("a", unit(1, 0, 0, 0), "car"), prototype("b", unit(0, 1, 0, 0), "bus")]
    found = calibrate_bank(bank, SegmentTable.of(judges), ("bus", "car"), BankSettings())
    assert found is not None
    assert (found.metrics["held_out_n"], found.figures.accuracy) == (60, 1.0)
    only_parts = SegmentTable.of(judges[-1:])
    assert calibrate_bank(bank, only_parts, ("bus", "car"), BankSettings()) is None


def test_a_head_is_fitted_anew_without_each_held_out_fold() -> None:
    segments = SegmentTable.of([*around(0, 40, "car"), *around(1, 40, "bus")])
    seen: list[int] = []

    def fit(learn: SegmentTable) -> Head:
        seen.append(len(learn))
        return fit_whitening(learn, ("neck",), 2)

    found = calibrate(segments, BankSettings(k=4), fit_head=fit)
    assert found is not None
    assert found.figures.accuracy > 0.9
    assert len(seen) >= 2
    assert max(seen) < len(segments)
