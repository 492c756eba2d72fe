"""The scores of every class, by hand and beside the vote."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.bank.class_scores import class_scores
from samdb.bank.classifier import Neighbourhood, hold_vote
from samdb.bank.vote import NOBODY


def test_a_class_scores_its_share_times_its_best_cosine() -> None:
    # weights 1 and 1/e: class 0 has e / (e + 1) of the vote, background (2) the rest, class 1 nothing
    near = Neighbourhood(np.array([[0, 2]]), np.array([[0.9, 0.8]]))
    share = np.e / (np.e + 1)
    assert class_scores(near, 0.1, 2)[0] == pytest.approx([share * 0.9, 0.0, (1 - share) * 0.8])


def test_nobody_scores_nothing() -> None:
    near = Neighbourhood(np.full((2, 3), NOBODY), np.zeros((2, 3)))
    assert not class_scores(near, 0.1, 2).any()


def test_the_winners_score_is_the_votes() -> None:
    rng = np.random.default_rng(0)
    near = Neighbourhood(rng.integers(-1, 4, size=(50, 7)), rng.uniform(-0.2, 1, size=(50, 7)))
    votes, scores = hold_vote(near, 0.05, 3), class_scores(near, 0.05, 3)
    voted = votes.winner != NOBODY
    np.testing.assert_allclose(scores[np.arange(50), votes.winner][voted], votes.score[voted])
