"""The head, in worlds of two and three numbers."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.head import Head, Layer, Rows, side_by_side


def rows(*values: tuple[float, ...]) -> Rows:
    return np.array(values, dtype=np.float32)


def flat(*values: float) -> Rows:
    return np.array(values, dtype=np.float32)


def linear(*matrix: tuple[float, ...]) -> tuple[Layer, ...]:
    """A member of one layer without bias."""
    return (Layer(rows(*matrix), np.zeros(len(matrix), dtype=np.float32)),)


def test_a_head_standardises_then_multiplies_then_scales_to_norm_one() -> None:
    head = Head(("a",), flat(0.5, 0), flat(0.5, 2), (linear((1, 0), (0, 1)),), np.eye(2, dtype=np.float32))
    expected = rows((1, 0), (-2 / 5**0.5, 1 / 5**0.5))
    # ((1, 0) - (.5, 0)) / (.5, 2) = (1, 0); ((0, 1) - (.5, 0)) / (.5, 2) = (-1, .5)
    np.testing.assert_allclose(head.project(rows((1, 0), (0, 1))), expected, atol=1e-6)


def test_a_relu_stands_between_layers_and_not_after_the_last() -> None:
    member = (Layer(rows((1, 0), (0, 1)), flat(-0.5, -2)), Layer(rows((-1, 0), (0, 1)), flat(0, 0.5)))
    head = Head(("a",), flat(0, 0), flat(1, 1), (member,), np.eye(2, dtype=np.float32))
    # (1, 0) -> (.5, -2) -> relu (.5, 0) -> (-.5, .5)
    np.testing.assert_allclose(head.project(rows((1, 0))), rows((-1, 1)) / 2**0.5, atol=1e-6)


def test_members_count_alike_whatever_the_length_of_what_they_give() -> None:
    members = (linear((100, 0), (0, 100)), linear((0, 1), (1, 0)))
    head = Head(("a",), flat(0, 0), flat(1, 1), members, np.eye(4, dtype=np.float32))
    np.testing.assert_allclose(head.project(rows((1, 0))), rows((1, 0, 0, 1)) / 2**0.5, atol=1e-6)


def test_a_row_of_which_nothing_is_left_still_has_a_vector() -> None:
    member = (Layer(rows((1, 0), (0, 1)), flat(-5, -5)), Layer(rows((1, 0), (0, 1)), flat(0, 0)))
    head = Head(("a",), flat(0, 0), flat(1, 1), (member,), np.eye(2, dtype=np.float32))
    assert np.linalg.norm(head.project(rows((1, 0)))) == pytest.approx(1)


def test_a_stem_comes_before_all_members() -> None:
    stem = Layer(rows((0, 1, 0), (0, 0, 1)), flat(1, 0))
    members = (linear((1, 0), (0, 1)), linear((0, 1), (1, 0)))
    head = Head(("a",), flat(0, 0, 0), flat(1, 1, 1), members, np.eye(4, dtype=np.float32), stem)
    # (.6, .8, 0) -> (1.8, 0), which the members scale to (1, 0) and (0, 1)
    np.testing.assert_allclose(head.project(rows((0.6, 0.8, 0))), rows((1, 0, 0, 1)) / 2**0.5, atol=1e-6)
    assert (head.dim_in, head.dim) == (3, 4)


def test_several_recipes_are_read_side_by_side_in_their_order() -> None:
    named = {"b": flat(0, 1), "a": flat(1, 0, 0)}
    np.testing.assert_allclose(side_by_side([named], ("a", "b")), rows((1, 0, 0, 0, 1)) / 2**0.5, atol=1e-6)


def test_no_rows_give_no_rows_and_a_wrong_width_is_refused() -> None:
    head = Head(("a",), flat(0, 0), flat(1, 1), (linear((1, 0)),), np.eye(1, dtype=np.float32))
    assert head.project(np.empty((0, 2), dtype=np.float32)).shape == (0, 1)
    with pytest.raises(ValueError, match="reads rows of 2 numbers"):
        head.project(rows((1, 0, 0)))


def test_layers_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot read rows of 2"):
        Head(("a",), flat(0, 0), flat(1, 1), (linear((1, 0, 0)),), np.eye(1, dtype=np.float32))
    with pytest.raises(ValueError, match="does not fit the members"):
        Head(("a",), flat(0, 0), flat(1, 1), (linear((1, 0)),), np.eye(2, dtype=np.float32))
    with pytest.raises(ValueError, match="stem"):
        Head(
            ("a",),
            flat(0, 0),
            flat(1, 1),
            (linear((1,)),),
            np.eye(1, dtype=np.float32),
            Layer(rows((1,)), flat(0)),
        )
    with pytest.raises(ValueError, match="scale positive"):
        Head(("a",), flat(0, 0), flat(1, 0), (linear((1, 0)),), np.eye(1, dtype=np.float32))
