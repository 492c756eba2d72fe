"""Which automatic masks answer for which, on masks drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.pipelines.evaluate_answers import Answers
from samdb.pipelines.evaluate_automatic import AutomaticScene, automatic_figures
from samdb.pipelines.evaluate_data import Segments
from samdb.pipelines.evaluate_nests import answered_for, nests_of

CLASSES = ("bus", "car")
WHOLE = (0, 0, 100, 60)
WINDOW = (10, 10, 40, 30)
#: the whole once more, a little shifted
AGAIN = (4, 0, 104, 60)
APART = (150, 0, 190, 60)


def filled(box: tuple[int, int, int, int]) -> Rle:
    mask: NDArray[np.bool_] = np.zeros((100, 200), dtype=bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return Rle.encode(mask)


def automatic(*boxes: tuple[int, int, int, int], images: str = "") -> Segments:
    n = len(boxes)
    return Segments(
        ids=tuple(f"{i}" for i in range(n)),
        vectors={},
        class_names=(None,) * n,
        boxes_xyxy=np.array(boxes, dtype=np.float64),
        image_keys=tuple(images or "a" * n),
        groups=("day",) * n,
        masks=tuple(filled(box) for box in boxes),
    )


def answers(*rows: tuple[float, float, float, bool]) -> Answers:
    """Scores of bus, car and background, and whether the answer is rejected."""
    scores = np.array([row[:3] for row in rows], dtype=np.float64)
    rejected = np.array([row[3] for row in rows], dtype=bool)
    return Answers(CLASSES, scores, scores[:, :2].argmax(axis=1), rejected)


@pytest.mark.parametrize(
    ("whole", "window", "silent"),
    [
        ((0, 0.6, 0, False), (0, 0.9, 0, False), [False, True]),  # a car answers for its window
        ((0, 0.6, 0, False), (0.9, 0, 0, False), [False, True]),  # also for what the window is taken for
        ((0, 0.6, 0, True), (0, 0.9, 0, False), [True, False]),  # an unsure car does not; one answer is left
        ((0, 0.6, 0, True), (0.9, 0, 0, False), [False, False]),  # of two classes, both
        ((0, 0.1, 0.9, False), (0, 0.9, 0, False), [False, False]),  # background answers for nothing
    ],
)
def test_a_named_mask_answers_for_what_lies_in_it(
    whole: tuple[float, float, float, bool], window: tuple[float, float, float, bool], silent: list[bool]
) -> None:
    masks = automatic(WHOLE, WINDOW)
    assert answered_for(nests_of(masks), answers(whole, window)).tolist() == silent


def test_what_is_seen_twice_answers_once_whatever_it_is_called() -> None:
    masks = automatic(WHOLE, AGAIN, APART)
    given = answers((0, 0.7, 0, False), (0.8, 0, 0, False), (0, 0.5, 0, False))
    assert answered_for(nests_of(masks), given).tolist() == [True, False, False]


def test_masks_of_other_images_have_no_say() -> None:
    masks = automatic(WHOLE, WINDOW, images="ab")
    assert not answered_for(nests_of(masks), answers((0, 0.9, 0, False), (0, 0.8, 0, False))).any()


def test_a_window_of_a_found_car_is_no_wrong_answer() -> None:
    masks = automatic(WHOLE, WINDOW, APART)
    label = Segments(("l",), {}, ("car",), np.array([WHOLE], dtype=np.float64), ("a",), ("day",))
    scene = AutomaticScene.of(masks, label, CLASSES, 100)
    figures = automatic_figures(
        scene, answers((0, 0.6, 0, False), (0, 0.9, 0, False), (0, 0.2, 0, True))
    ).figures
    assert (figures["automatic/precision"], figures["automatic/recall"]) == (1.0, 1.0)
    assert figures["automatic/background_rejected"] == 1.0  # the window says nothing of its own
