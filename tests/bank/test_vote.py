"""The vote, computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from samdb.bank.vote import NOBODY, vote

CAR, BUS, BACKGROUND = 0, 1, 2


def test_a_near_neighbour_outweighs_two_far_ones_when_the_vote_is_sharp() -> None:
    classes, cosines = np.array([[CAR, BUS, BUS]]), np.array([[0.9, 0.7, 0.7]])
    sharp, mild = vote(classes, cosines, 0.05, 2), vote(classes, cosines, 1.0, 2)
    # weights relative to the best: 1 against 2 exp(-0.2 / T): 0.037 sharp, 1.64 mild
    assert sharp.winner.tolist() == [CAR]
    assert mild.winner.tolist() == [BUS]
    assert sharp.runner_up.tolist() == [BUS]


def test_the_score_is_the_share_of_the_vote_times_the_best_cosine() -> None:
    votes = vote(np.array([[CAR, BUS]]), np.array([[0.8, 0.7]]), 0.1, 2)
    share = 1 / (1 + math.exp(-0.1 / 0.1))
    assert votes.score[0] == pytest.approx(share * 0.8)


def test_a_unanimous_vote_scores_its_best_cosine() -> None:
    votes = vote(np.array([[CAR, CAR]]), np.array([[0.9, 0.2]]), 0.02, 2)
    assert votes.score[0] == pytest.approx(0.9)
    assert votes.runner_up.tolist() == [NOBODY]


def test_a_negative_cosine_scores_nothing() -> None:
    votes = vote(np.array([[CAR]]), np.array([[-0.5]]), 0.02, 2)
    assert votes.winner.tolist() == [CAR]
    assert votes.score.tolist() == [0.0]


def test_a_weight_too_small_for_a_float_still_makes_a_runner_up() -> None:
    votes = vote(np.array([[CAR, BUS]]), np.array([[1.0, -1.0]]), 0.001, 2)
    assert votes.score.tolist() == [1.0]
    assert votes.runner_up.tolist() == [BUS]


def test_nobody_near_means_no_winner() -> None:
    votes = vote(np.array([[NOBODY, NOBODY], [CAR, NOBODY]]), np.zeros((2, 2)), 0.02, 2)
    assert votes.winner.tolist() == [NOBODY, CAR]


def test_no_segments_give_no_votes() -> None:
    assert len(vote(np.empty((0, 3), np.int64), np.empty((0, 3)), 0.02, 2).winner) == 0


def test_background_wins_like_a_class_but_is_no_runner_up() -> None:
    classes = np.array([[BACKGROUND, CAR, BUS], [CAR, BACKGROUND, BUS]])
    cosines = np.array([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7]])
    votes = vote(classes, cosines, 0.05, 3, background=BACKGROUND)
    assert votes.winner.tolist() == [BACKGROUND, CAR]
    assert votes.runner_up.tolist() == [CAR, BUS]


def test_equal_votes_go_to_the_lower_index() -> None:
    assert vote(np.array([[BUS, CAR]]), np.array([[0.5, 0.5]]), 0.1, 2).winner.tolist() == [CAR]
