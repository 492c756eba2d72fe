"""The figures of automatic masks: what no label prompted is named, or must be rejected as background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import box_iou
from samdb.core.matching import IGNORED, UNMATCHED, match_boxes
from samdb.core.metrics_ranking import PrecisionRecall, precision_recall
from samdb.pipelines.evaluate_answers import Answers
from samdb.pipelines.evaluate_data import Segments
from samdb.pipelines.evaluate_figures import ALL, Figures
from samdb.pipelines.evaluate_nests import Nest, answered_for, nests_of

#: a mask's box shows a labelled object when the two overlap by this IoU
MIN_IOU: Final = 0.5


@dataclass(frozen=True, slots=True)
class AutomaticScene:
    """The automatic masks of some images and all labels of the same images.

    `counts` (M,) marks the labels to be found: of the classes judged, and large enough. The others are not
    missed, and what shows one of its own class is not wrong. `covered` (M,) are labels that some mask shows
    (the box of the mask, IoU at least 0.5), and `is_object` (N,) masks that show some label. `nests` says
    which masks lie in which; without any, every mask answers for itself.
    """

    masks: Segments
    labels: Segments
    classes: tuple[str, ...]
    counts: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    is_object: NDArray[np.bool_]
    nests: tuple[Nest, ...] = ()

    @classmethod
    def of(
        cls, masks: Segments, labels: Segments, classes: Sequence[str], min_box_px2: float
    ) -> AutomaticScene:
        """Of the masks of at least `min_box_px2` (their boxes), and the labels of their images."""
        images = set(masks.image_keys)
        labels = labels.take(np.array([key in images for key in labels.image_keys], dtype=bool))
        masks = masks.take(masks.area_px2 >= min_box_px2)
        counts = np.array([c in classes for c in labels.class_names], dtype=bool)
        covered = np.zeros(len(labels), dtype=bool)
        is_object = np.zeros(len(masks), dtype=bool)
        for of_masks, of_labels in _by_image(masks, labels):
            shown = box_iou(masks.boxes_xyxy[of_masks], labels.boxes_xyxy[of_labels]) >= MIN_IOU
            covered[of_labels] = shown.any(axis=0)
            is_object[of_masks] = shown.any(axis=1)
        large = labels.area_px2 >= min_box_px2
        nests = nests_of(masks) if masks.masks else ()
        return cls(masks, labels, tuple(classes), counts & large, covered, is_object, nests)


@dataclass(frozen=True, slots=True)
class AutomaticResult:
    """The figures, named below `automatic/`, and the curves of each class and of all together."""

    figures: Figures
    curves: dict[str, PrecisionRecall]


def automatic_figures(scene: AutomaticScene, answers: Answers) -> AutomaticResult:
    """Judge one answer per object: the best class of the mask that answers for it (`evaluate_nests`), unless
    background scores above it.

    Greedy by confidence within each image and class. AP is not interpolated. `precision_at_recall_50` sweeps
    the confidence over all classes together; `.._of_shown` counts only labels that any mask shows, so that it
    judges the naming and not the search for masks. `precision` and `recall` are of the accepted answers;
    `background_rejected` is the share of the masks without a label that give none.
    """
    silent = answered_for(scene.nests, answers)
    found = _match(scene, answers, silent)
    names = np.array(scene.labels.class_names, dtype=object)
    judged = np.array([g in scene.classes for g in answers.guesses], dtype=bool)
    answered = judged & ~silent & ~answers.is_background & (found != IGNORED)
    hit = answered & (found >= 0)
    confidence, guesses = answers.confidence, np.array(answers.guesses, dtype=object)
    n_truth = int(scene.counts.sum())

    curves: dict[str, PrecisionRecall] = {}
    for name in scene.classes:
        n_own = int((scene.counts & (names == name)).sum())
        if n_own:
            own = answered & (guesses == name)
            curves[name] = precision_recall(confidence[own], hit[own], n_own)
    figures = {f"automatic/class/{name}/ap": curve.average_precision for name, curve in curves.items()}
    curves[ALL] = precision_recall(confidence[answered], hit[answered], n_truth)
    accepted = answered & ~answers.rejected
    figures |= {
        "automatic/map": float(np.mean(list(figures.values()))) if figures else 0.0,
        "automatic/recall": float(hit[accepted].sum() / max(n_truth, 1)),
        "automatic/labels_shown": float(scene.covered[scene.counts].mean()) if n_truth else 0.0,
    }
    if accepted.any():
        figures["automatic/precision"] = float(hit[accepted].mean())
    if not scene.is_object.all():
        figures["automatic/background_rejected"] = float((answers.rejected | silent)[~scene.is_object].mean())
    n_shown = int((scene.counts & scene.covered).sum())
    shown = precision_recall(confidence[answered], hit[answered], n_shown)
    for key, curve in (("", curves[ALL]), ("_of_shown", shown)):
        precision = curve.precision_at(0.5)
        if precision is not None:
            figures[f"automatic/precision_at_recall_50{key}"] = precision
    return AutomaticResult(figures, curves)


def _match(scene: AutomaticScene, answers: Answers, silent: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each mask whether it finds a label of the class that it is said to be (index, or neither)."""
    found = np.full(len(scene.masks), UNMATCHED, dtype=np.int64)
    guesses = np.array(answers.guesses, dtype=object)
    names = np.array(scene.labels.class_names, dtype=object)
    confidence, speaks = answers.confidence, ~answers.is_background & ~silent
    for of_masks, of_labels in _by_image(scene.masks, scene.labels):
        for name in scene.classes:
            mine = of_masks[(guesses[of_masks] == name) & speaks[of_masks]]
            truth = of_labels[names[of_labels] == name]
            if len(mine) and len(truth):
                found[mine] = match_boxes(
                    confidence[mine],
                    scene.masks.boxes_xyxy[mine],
                    scene.labels.boxes_xyxy[truth],
                    ~scene.counts[truth],
                    MIN_IOU,
                )
    return found


def _by_image(masks: Segments, labels: Segments) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows of masks and of labels, image by image; images without labels are left out."""
    of_masks: dict[str, list[int]] = {}
    of_labels: dict[str, list[int]] = {}
    for rows, keys in ((of_masks, masks.image_keys), (of_labels, labels.image_keys)):
        for i, key in enumerate(keys):
            rows.setdefault(key, []).append(i)
    return [(np.array(of_masks.get(key, []), dtype=np.int64), np.array(of_labels[key])) for key in of_labels]
