"""AUROC, FPR95, precision-recall and average precision: by hand, and as scikit-learn has them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from samdb.core.metrics_ranking import auroc, false_accepts_at, precision_recall


def test_auroc_counts_pairs_in_order_and_ties_by_half() -> None:
    # pairs (3, 1) (3, 2) (2, 1) in order, (2, 2) tied: 3.5 of 4
    assert auroc(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == 3.5 / 4


def test_auroc_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="negatives"):
        auroc(np.array([1.0]), np.array([]))


def test_fpr95_is_what_is_let_in_where_19_of_20_known_are() -> None:
    known = np.linspace(0.05, 1.0, 20)  # 19 of them are at least 0.10
    assert false_accepts_at(known, np.array([0.05, 0.099, 0.101, 0.5])) == 0.5
    assert false_accepts_at(known, np.array([0.01, 0.02])) == 0.0


def test_fpr95_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="unknown"):
        false_accepts_at(np.array([1.0]), np.array([]))


def test_precision_and_recall_of_five_answers_to_four_objects() -> None:
    # ranked: hit, miss, hit and miss tied, hit; the fourth object is never found
    curve = precision_recall(
        np.array([0.5, 0.9, 0.7, 0.5, 0.1]), np.array([True, True, False, False, True]), 4
    )
    assert curve.scores.tolist() == [0.9, 0.7, 0.5, 0.1]
    assert curve.precision.tolist() == [1.0, 1 / 2, 2 / 4, 3 / 5]
    assert curve.recall.tolist() == [1 / 4, 1 / 4, 2 / 4, 3 / 4]
    assert curve.average_precision == pytest.approx((1 + 0.5 + 0.6) / 4)
    assert curve.precision_at(0.5) == 0.6  # further down it gets better again
    assert curve.precision_at(0.8) is None
    assert np.isnan(curve.on_grid(np.array([0.1, 0.9]))).tolist() == [False, True]


def test_no_answer_finds_nothing() -> None:
    curve = precision_recall(np.array([]), np.array([], dtype=bool), 3)
    assert (curve.average_precision, curve.precision_at(0.5)) == (0.0, None)


def test_scikit_learn_agrees() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(300) < 0.3
    scores = np.round((rng.random(300) + 0.3 * right) * 100) / 100  # rounded: with ties
    curve = precision_recall(scores, right, int(right.sum()))
    assert curve.average_precision == pytest.approx(average_precision_score(right, scores))
    precision, recall, _ = precision_recall_curve(right, scores)
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1])
    np.testing.assert_allclose(curve.recall[::-1], recall[:-1])
    assert auroc(scores[right], scores[~right]) == pytest.approx(roc_auc_score(right, scores))
