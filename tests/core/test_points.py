"""Conditions and queries are checked when they are made."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.points import Condition, Operator, Query

ONE = (np.array([1.0, 0.0], dtype=np.float32),)


def test_a_condition_needs_a_value() -> None:
    with pytest.raises(ValueError, match="has no value"):
        Condition("class_name", "=", ())


@pytest.mark.parametrize("op", [">", ">=", "<", "<="])
def test_a_comparison_takes_exactly_one_number(op: Operator) -> None:
    assert Condition("area_px", op, (5,)).values == (5,)
    for values in [("big",), (1, 2), (True,)]:
        with pytest.raises(ValueError, match="needs one number"):
            Condition("area_px", op, values)


def test_equality_takes_any_number_of_values_of_any_kind() -> None:
    assert Condition("class_name", "=", ("car", 3, True)).values == ("car", 3, True)
    assert Condition("class_name", "!=", ("car", "truck")).op == "!="


def test_a_query_needs_a_positive_example() -> None:
    with pytest.raises(ValueError, match="at least one positive"):
        Query("neck", (), negatives=ONE)


def test_a_querys_page_must_make_sense() -> None:
    with pytest.raises(ValueError, match="at least"):
        Query("neck", ONE, limit=0)
    with pytest.raises(ValueError, match="at least"):
        Query("neck", ONE, offset=-1)
    with pytest.raises(ValueError, match="at least"):
        Query("neck", ONE, per_group=0)
