"""The figures of given answers, by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from samdb.bank.vote import NOBODY
from samdb.core.boxes import Box
from samdb.pipelines.evaluate_answers import Answers
from samdb.pipelines.evaluate_automatic import AutomaticScene, automatic_figures
from samdb.pipelines.evaluate_data import Segments
from samdb.pipelines.evaluate_figures import (
    ALL,
    confusion,
    labelled_curves,
    labelled_figures,
    open_set_figures,
    retrieval_figures,
)

CLASSES = ("bus", "car")
SMALL, LARGE = (0.0, 0.0, 40.0, 40.0), (0.0, 0.0, 200.0, 200.0)


def segments(
    names: Sequence[str | None], boxes: Sequence[Box], images: str = "", groups: Sequence[str] = ()
) -> Segments:
    """Segments with these labels and boxes, in images named by one letter each."""
    n = len(names)
    return Segments(
        ids=tuple(f"{i}" for i in range(n)),
        vectors={},
        class_names=tuple(names),
        boxes_xyxy=np.array(boxes).reshape(-1, 4),
        image_keys=tuple(images or "a" * n),
        groups=tuple(groups) or ("day",) * n,
    )


def answers(*rows: tuple[float, float, float, bool]) -> Answers:
    """Scores of bus, car and background, and whether the answer is rejected."""
    scores = np.array([row[:3] for row in rows], dtype=np.float64)
    return Answers(
        CLASSES, scores, scores[:, :2].argmax(axis=1), np.array([row[3] for row in rows], dtype=bool)
    )


VAL = segments(
    ["bus", "car", "car", "car"], [SMALL, SMALL, LARGE, LARGE], groups=("day", "day", "day", "night")
)
#: the bus is right; the cars: right, taken for a bus, right but rejected
GIVEN = answers((0.9, 0.1, 0, False), (0.2, 0.8, 0, False), (0.6, 0.4, 0, False), (0.1, 0.3, 0.5, True))


def test_labelled_boxes() -> None:
    figures = labelled_figures(GIVEN, VAL, CLASSES, "timeofday")
    assert figures["labelled/accuracy"] == 0.75  # a rejected answer is judged by its best guess
    assert figures["labelled/rejected"] == 0.25
    assert figures["labelled/accepted_accuracy"] == pytest.approx(2 / 3)
    # bus: precision 1/2, recall 1; car: precision 1, recall 2/3
    assert figures["labelled/class/bus/f1"] == pytest.approx(2 / 3)
    assert figures["labelled/class/car/f1"] == pytest.approx(0.8)
    assert figures["labelled/macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    # confidences .9 .8 .6 .3 in four bins of one answer each
    assert figures["labelled/ece"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.7) / 4)
    assert (figures["labelled/size/1024-4096/n"], figures["labelled/size/1024-4096/accuracy"]) == (2, 1.0)
    assert (figures["labelled/size/16384-/n"], figures["labelled/size/16384-/accuracy"]) == (2, 0.5)
    assert figures["labelled/timeofday/night/accuracy"] == 1.0


def test_confusion_sets_rejections_apart() -> None:
    assert confusion(GIVEN, VAL, CLASSES).tolist() == [[1, 0, 0, 0], [1, 1, 0, 1]]


def test_an_answer_of_a_class_that_is_not_judged_is_another_class() -> None:
    val = segments(["car"], [SMALL])
    assert confusion(answers((0.9, 0.1, 0, False)), val, ["car"]).tolist() == [[0, 1, 0]]


def test_curves_of_labelled_boxes() -> None:
    curves = labelled_curves(GIVEN, VAL, CLASSES)
    assert curves["bus"].average_precision == 1.0  # .9 is a bus; .6 is none, but nothing is left to find
    assert curves["car"].average_precision == pytest.approx(2 / 3)
    assert curves[ALL].precision.tolist() == pytest.approx([1, 1, 2 / 3, 3 / 4])


def test_search_weighs_classes_alike() -> None:
    gallery = segments(["bus", "car", "car"], [SMALL] * 3)
    queries = segments(["bus", "car"], [SMALL] * 2)
    east, north, between = (1.0, 0.0), (0.0, 1.0), (0.8, 0.6)
    rows = np.array([east, between], dtype=np.float32)
    figures = retrieval_figures(queries, rows, gallery, np.array([east, north, between], dtype=np.float32))
    # the bus finds itself first: AP@1 = 1; the car finds car, bus, car: AP@2 = (1/1) / 2
    assert figures["retrieval/map_at_r"] == pytest.approx((1.0 + 0.5) / 2)
    # fewer than ten to find: of all three one is a bus, two are cars
    assert figures["retrieval/p_at_10"] == pytest.approx((1 / 3 + 2 / 3) / 2)


def test_open_set_scores_what_is_unlike_everything() -> None:
    figures = open_set_figures(np.array([0.9, 0.8, 0.4]), np.array([0.5, 0.1]))
    # pairs in which the hidden one has less confidence: .5 < .9 .8, .1 < all three
    assert figures["open_set/auroc"] == pytest.approx(5 / 6)
    assert figures["open_set/fpr95"] == 0.5


def test_automatic_masks_find_labels_once_and_the_rest_is_background() -> None:
    far = (500.0, 0.0, 540.0, 40.0)
    labels = segments(["car", "bus", "car", "car"], [SMALL, far, LARGE, (0, 0, 10, 10)], images="aabb")
    masks = segments(
        [None] * 5, [SMALL, (0, 0, 40, 38), (300, 300, 350, 350), LARGE, (600, 0, 640, 40)], images="aaabc"
    )
    scene = AutomaticScene.of(masks, labels, CLASSES, 1024)
    assert scene.counts.tolist() == [True, True, True, False]  # the last label is small
    assert scene.covered.tolist() == [True, False, True, False]
    assert scene.is_object.tolist() == [True, True, False, True, False]
    given = answers(
        (0.0, 0.9, 0.0, False),  # finds the first car
        (0.0, 0.8, 0.0, False),  # the same car once more: wrong
        (0.7, 0.0, 0.0, True),  # no object, rejected
        (0.0, 0.6, 0.3, False),  # finds the large car
        (0.1, 0.0, 0.9, True),  # background, known as such
    )
    figures = automatic_figures(scene, given).figures
    assert figures["automatic/class/car/ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert figures["automatic/class/bus/ap"] == 0.0
    assert figures["automatic/map"] == pytest.approx((1 + 2 / 3) / 4)
    assert figures["automatic/precision"] == pytest.approx(2 / 3)
    assert figures["automatic/recall"] == pytest.approx(2 / 3)
    assert figures["automatic/labels_shown"] == pytest.approx(2 / 3)
    assert figures["automatic/background_rejected"] == 1.0
    # two of three labels are reached with the fourth answer, the rejected bus being swept over too
    assert figures["automatic/precision_at_recall_50"] == pytest.approx(2 / 4)
    assert figures["automatic/precision_at_recall_50_of_shown"] == 1.0


def test_a_mask_on_a_small_label_of_its_class_counts_neither_way() -> None:
    small = (0.0, 0.0, 30.0, 30.0)  # 900 px², its mask a little larger
    labels = segments(["car", "bus"], [small, (100, 0, 140, 40)])
    masks = segments([None, None], [(0, 0, 33, 33), (100, 0, 140, 40)])
    scene = AutomaticScene.of(masks, labels, CLASSES, 1024)
    figures = automatic_figures(scene, answers((0, 0.9, 0, False), (0.8, 0, 0, False))).figures
    assert figures["automatic/precision"] == 1.0
    assert "automatic/class/car/ap" not in figures  # there is no car to be found
    assert "automatic/background_rejected" not in figures  # every mask shows something


def test_answers_must_fit() -> None:
    with pytest.raises(ValueError, match=r"scores \(1, 3\)"):
        Answers(CLASSES, np.zeros((1, 2)), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool))


def test_whoever_guesses_nothing_has_no_confidence() -> None:
    given = Answers(CLASSES, np.array([[0.0, 0.0, 0.9]]), np.array([NOBODY]), np.array([True]))
    assert (given.guesses, given.confidence.tolist(), given.is_background.tolist()) == ([None], [0.0], [True])
