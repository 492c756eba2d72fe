"""Votes on labels, in worlds of two numbers: class 0 along e0, class 1 along e1."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.vectors import normalise
from samdb.pipelines.audit_votes import (
    N_FOLDS,
    VoteSettings,
    folds_of,
    judge_labels,
    neighbour_shares,
    opinion_of,
    probe_shares,
)

# three of class 0, three of class 1, each in an image of its own
VECTORS = normalise(np.array([[1, 0], [1, 0.1], [1, 0.2], [0, 1], [0.1, 1], [0.2, 1]], dtype=np.float32))
LABELS = np.array([0, 0, 0, 1, 1, 1], dtype=np.int64)
IMAGES = np.arange(6, dtype=np.int64)


def test_neighbours_share_the_vote_by_their_similarity() -> None:
    # of the first segment the two nearest are the second (cosine 1 / sqrt(1.01)) and third (1 / sqrt(1.04))
    settings = VoteSettings(k_neighbours=2, temperature=0.1)
    labels = np.array([0, 0, 1, 1, 1, 1], dtype=np.int64)
    shares = neighbour_shares(VECTORS, labels, IMAGES, 2, settings)
    near = np.exp((1 / np.sqrt([1.01, 1.04]) - 1) / 0.1)
    np.testing.assert_allclose(shares[0], near / near.sum(), rtol=1e-5)


def test_an_image_does_not_vote_for_its_own_segments() -> None:
    settings = VoteSettings(k_neighbours=2)
    together = np.array([0, 0, 0, 1, 1, 1], dtype=np.int64)
    shares = neighbour_shares(VECTORS, LABELS, together, 2, settings)
    np.testing.assert_allclose(shares[:3], [[0, 1]] * 3)
    np.testing.assert_allclose(shares[3:], [[1, 0]] * 3)


def test_without_any_other_image_nobody_is_suspected() -> None:
    one_image = np.zeros(6, dtype=np.int64)
    for judge in ("neighbours", "probe", "both"):
        opinion = judge_labels(VECTORS, LABELS, one_image, one_image, 2, VoteSettings(judge=judge))
        assert not opinion.disputed.any()


@pytest.mark.parametrize("judge", ["neighbours", "probe", "both"])
def test_the_one_wrong_label_is_found_and_the_right_one_suggested(judge: str) -> None:
    rng = np.random.default_rng(0)
    n = 40
    truth = np.arange(n) % 2
    vectors = normalise(np.eye(2)[truth] + rng.normal(scale=0.1, size=(n, 2)))
    labels = truth.copy()
    labels[7] = 0
    folds = np.arange(n) % N_FOLDS
    settings = VoteSettings(judge=judge, k_neighbours=5)  # type: ignore[arg-type]
    opinion = judge_labels(vectors, labels, np.arange(n), folds, 2, settings)
    assert opinion.score.argmax() == 7
    assert opinion.suggested[7] == 1
    assert opinion.disputed.sum() == 1


def test_the_probe_never_sees_the_fold_it_judges() -> None:
    # fold 0 alone calls e0 class 1; seen by the other folds only, its segments are class 0
    vectors = normalise(np.array([[1, 0.1 * i] for i in range(4)] + [[0.1 * i, 1] for i in range(4)]))
    labels = np.array([1, 1, 0, 0, 1, 1, 1, 1], dtype=np.int64)
    folds = np.array([0, 0, 1, 2, 3, 4, 3, 4], dtype=np.int64)
    shares = probe_shares(vectors, labels, folds, 2, ridge=0.01)
    assert (shares[:2, 0] > 0.5).all()


def test_the_score_weighs_balanced_shares_against_each_other() -> None:
    # class 0 has 4 of 5 labels, class 1 one: balanced by the root, 1 weighs twice as much
    shares = np.array([[0.4, 0.6], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    labels = np.array([0, 0, 0, 0, 1], dtype=np.int64)
    opinion = opinion_of(shares, labels, VoteSettings(balance=0.5, floor=0.1))
    np.testing.assert_array_equal(opinion.suggested, [1, 1, 1, 1, 0])
    np.testing.assert_array_equal(opinion.disputed, [True, False, False, False, True])
    frequent, rare = (2 * 0.7 - 0.5) / (2 * 0.7 + 0.5), (0.7 - 2 * 0.5) / (0.7 + 2 * 0.5)
    np.testing.assert_allclose(opinion.score[[0, 4]], [frequent, rare])


def test_without_balance_only_the_shares_count() -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    opinion = opinion_of(shares, np.array([0, 1], dtype=np.int64), VoteSettings(balance=0.0, floor=1e-9))
    np.testing.assert_array_equal(opinion.suggested, [1, 2])
    np.testing.assert_allclose(opinion.score, [-0.2 / 0.8, 0.5 / 0.9], rtol=1e-6)


def test_a_single_class_has_no_rival() -> None:
    opinion = judge_labels(VECTORS, np.zeros(6, dtype=np.int64), IMAGES, IMAGES % 5, 1, VoteSettings())
    assert not opinion.disputed.any()


def test_folds_are_the_same_in_every_run() -> None:
    names = [f"image {i}" for i in range(100)]
    folds = folds_of(names)
    np.testing.assert_array_equal(folds, folds_of(names))
    assert set(folds) == set(range(N_FOLDS))


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="k_neighbours"):
        VoteSettings(k_neighbours=0)
