"""Predictions: rejection and its reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samdb.bank.classifier import Neighbour, classify, nearest_prototypes
from samdb.bank.vote import NOBODY
from tests.bank.worlds import bank_of, prototype, unit

CARD = replace(
    bank_of([prototype("c", unit(1, 0), "car"), prototype("b", unit(0, 1), "bus")]).card,
    k_neighbours=3,
    vote_temperature=0.05,
    thresholds={"car": 0.6, "bus": 0.0},
)


def test_a_score_under_its_class_threshold_is_rejected_and_the_class_kept_as_runner_up() -> None:
    near = [[Neighbour("p", "car", 0.5)], [Neighbour("p", "car", 0.7)], [Neighbour("q", "bus", 0.5)]]
    low, high, other = classify(near, CARD)
    assert (low.class_name, low.reason, low.runner_up) == (None, "low_score", "car")
    assert (high.class_name, high.reason, high.nearest_prototype_id) == ("car", None, "p")
    assert other.class_name == "bus"
    assert [p.best_guess for p in (low, high, other)] == ["car", "car", "bus"]


def test_background_rejects_and_names_the_class_that_came_next() -> None:
    near = [[Neighbour("g", None, 0.9), Neighbour("b", "bus", 0.8)], [Neighbour("g", None, 0.9)]]
    first, second = classify(near, CARD)
    assert (first.class_name, first.reason, first.runner_up) == (None, "background", "bus")
    assert second.runner_up is None


def test_without_neighbours_there_is_a_reason_and_no_score() -> None:
    assert classify([[]], CARD)[0].reason == "no_neighbours"
    assert classify([], CARD) == []


def test_only_the_cards_number_of_neighbours_vote() -> None:
    near = [Neighbour("b", "bus", 0.9), *(Neighbour(f"c{i}", "car", 0.89) for i in range(9))]
    assert classify([near], replace(CARD, k_neighbours=1))[0].best_guess == "bus"
    assert classify([near], CARD)[0].best_guess == "car"


def test_a_class_that_the_card_does_not_name_is_refused() -> None:
    with pytest.raises(ValueError, match="zebra"):
        classify([[Neighbour("z", "zebra", 0.9)]], CARD)


def test_the_scan_finds_the_nearest_prototypes_and_pads() -> None:
    protos = [prototype("c", unit(1, 0), "car"), prototype("n", unit(1, 1), None)]
    found = nearest_prototypes(np.stack([unit(1, 0.1), unit(0, 1)]), protos, ("car",), 3)
    assert found.classes.tolist() == [[0, 1, NOBODY], [1, 0, NOBODY]]
    assert found.cosines[0, 0] == pytest.approx(float(unit(1, 0.1)[0]))
