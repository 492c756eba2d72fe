"""Choose how many neighbours vote and how sharply, and the thresholds, on segments held out by image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.bank.classifier import Neighbourhood, class_indices, hold_vote, nearest_prototypes
from samdb.bank.conformal import Conformal, fit_conformal
from samdb.bank.prototypes import fit_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.threads import one_thread
from samdb.bank.thresholds import fit_sure, fit_thresholds
from samdb.bank.vote import NOBODY, Votes
from samdb.core.bank import Prototype
from samdb.core.head import Head
from samdb.core.metrics import ClassificationFigures, classification_figures

#: the small grid that calibration chooses from
NEIGHBOURS: tuple[int, ...] = (1, 3, 5, 9, 15, 25)
TEMPERATURES: tuple[float, ...] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)

#: images are dealt into so many folds: each holds out 20 %
N_FOLDS = 5
# a small set is held out fold by fold until all of it was, so that rare classes have enough answers to go
# by; a large one has enough in its first fold
_ALL_FOLDS_UP_TO = 20_000
_BACKGROUND = "(background)"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was chosen on held-out segments, and how the bank fared on them.

    `figures` compare the best guess with the truth, before any rejection; `metrics` are the card's.
    `conformal` says which classes a segment may be of, `sure` from which score an answer can be built upon.
    """

    k_neighbours: int
    vote_temperature: float
    thresholds: Mapping[str, float]
    figures: ClassificationFigures
    metrics: Mapping[str, float]
    conformal: Conformal
    sure: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _HeldOut:
    truth: NDArray[np.int64]
    near: Neighbourhood
    images: tuple[str, ...]


def fold_of(image_key: str, seed: int) -> int:
    """The fold, 0 to 4, that an image is dealt into: by hash, so that it never moves."""
    digest = hashlib.sha256(f"{seed}\x1f{image_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % N_FOLDS


def calibrate(
    table: SegmentTable,
    settings: BankSettings,
    progress: Callable[[int, int], None] | None = None,
    fit_head: Callable[[SegmentTable], Head] | None = None,
) -> Calibration | None:
    """Hold images out, fit a bank on the rest, and choose what classifies the held-out segments best.

    Best is the macro-F1 of whole segments (background, if there is any, counts as one more class): parts
    carry their object's label by inheritance, which is too loose to judge by. Settings that are given
    are not searched for. With `fit_head` the bank is one of projected vectors; the head, too, is fitted
    without the held-out images. None when nothing can be held out: all segments lie in images of one fold.
    """
    with one_thread():
        held = _hold_out(table, settings, progress, fit_head)
    return None if held is None else _calibration(held, table.classes, settings)


def calibrate_bank(
    prototypes: Sequence[Prototype], judges: SegmentTable, classes: tuple[str, ...], settings: BankSettings
) -> Calibration | None:
    """The same for a bank that has been fitted, without the images of `judges`, whose whole segments and
    background it is judged by. None when none of them is of a class."""
    judges = judges.take(is_judge(judges))
    truth = class_indices(judges.class_names, classes)
    if not (truth < len(classes)).any():
        return None
    with one_thread():
        deepest = settings.k_neighbours or max(NEIGHBOURS)
        near = nearest_prototypes(judges.vectors, prototypes, classes, deepest)
    return _calibration(_HeldOut(truth, near, judges.image_keys), classes, settings)


def is_judge(table: SegmentTable) -> NDArray[np.bool_]:
    """Which segments (N,) a bank is judged by: wholes and background. A part's label is inherited."""
    return np.array([g == "whole" for g in table.granularities], dtype=bool) | _is_background(table)


def _calibration(held: _HeldOut, classes: tuple[str, ...], settings: BankSettings) -> Calibration:
    k, temperature, votes = _choose(held, classes, settings)
    thresholds = fit_thresholds(held.truth, votes.winner, votes.score, classes, settings.max_rejected)
    figures = _figures(held.truth, votes.winner, classes, with_background=False)
    possible = np.where(votes.winner[:, None] == len(classes), 0.0, votes.scores)
    conformal = fit_conformal(held.truth, possible, held.images, classes, settings.alpha)
    sure = fit_sure(held.truth, votes.winner, votes.score, classes, settings.sure_precision)
    metrics = {
        **_metrics(held.truth, votes, classes, thresholds, figures),
        **{f"guaranteed/{name}": share for name, share in conformal.coverage.items()},
    }
    return Calibration(k, temperature, thresholds, figures, metrics, conformal, sure)


def _hold_out(
    table: SegmentTable,
    settings: BankSettings,
    progress: Callable[[int, int], None] | None,
    fit_head: Callable[[SegmentTable], Head] | None,
) -> _HeldOut | None:
    folds = np.array([fold_of(key, settings.seed) for key in table.image_keys])
    whole = is_judge(table)
    wanted = range(N_FOLDS if len(table) <= _ALL_FOLDS_UP_TO else 1)
    deepest = settings.k_neighbours or max(NEIGHBOURS)
    truths: list[NDArray[np.int64]] = []
    images: list[str] = []
    near: list[Neighbourhood] = []
    for fold in wanted:
        if progress:
            progress(fold, len(wanted))
        learn, judge = table.take(folds != fold), table.take((folds == fold) & whole)
        # a class that only the held-out images have cannot be learned: it says nothing about the vote
        judge = judge.take(np.array([c is None or c in learn.classes for c in judge.class_names], dtype=bool))
        if len(judge) and learn.classes:
            if fit_head is not None:
                head = fit_head(learn)
                learn, judge = learn.projected(head), judge.projected(head)
            prototypes = fit_prototypes(learn, settings, bank="calibration", version=1)
            near.append(nearest_prototypes(judge.vectors, prototypes, table.classes, deepest))
            truths.append(class_indices(judge.class_names, table.classes))
            images += judge.image_keys
    if not any((t < len(table.classes)).any() for t in truths):
        return None
    classes, cosines = np.concatenate([n.classes for n in near]), np.concatenate([n.cosines for n in near])
    return _HeldOut(np.concatenate(truths), Neighbourhood(classes, cosines), tuple(images))


def _choose(held: _HeldOut, classes: tuple[str, ...], settings: BankSettings) -> tuple[int, float, Votes]:
    """The best of the grid; ties go to fewer neighbours, then to the first temperature."""
    best: tuple[float, int, float, Votes] | None = None
    for k in (settings.k_neighbours,) if settings.k_neighbours else NEIGHBOURS:
        # one neighbour has the whole vote, whatever the temperature
        grid = TEMPERATURES[:1] if k == 1 else TEMPERATURES
        for temperature in (settings.vote_temperature,) if settings.vote_temperature else grid:
            votes = hold_vote(held.near.nearest(k), temperature, len(classes))
            f1 = _figures(held.truth, votes.winner, classes, with_background=True).macro_f1
            if best is None or f1 > best[0]:
                best = (f1, k, temperature, votes)
    assert best is not None  # the grid is never empty
    return best[1:]


def _figures(
    truth: NDArray[np.int64], winner: NDArray[np.int64], classes: tuple[str, ...], *, with_background: bool
) -> ClassificationFigures:
    names = (*classes, _BACKGROUND)
    judged = np.ones(len(truth), dtype=bool) if with_background else truth < len(classes)
    return classification_figures(
        [names[i] for i in truth[judged]], [names[i] if i != NOBODY else None for i in winner[judged]]
    )


def _metrics(
    truth: NDArray[np.int64],
    votes: Votes,
    classes: tuple[str, ...],
    thresholds: Mapping[str, float],
    figures: ClassificationFigures,
) -> Mapping[str, float]:
    limits = np.array([*(thresholds[c] for c in classes), 0.0])
    kept = (votes.winner < len(classes)) & (votes.winner != NOBODY) & (votes.score >= limits[votes.winner])
    labelled = truth < len(classes)
    metrics = {
        "held_out_n": float(labelled.sum()),
        "held_out_accuracy": figures.accuracy,
        "held_out_macro_f1": figures.macro_f1,
        "held_out_rejected": float(1.0 - kept[labelled].mean()),
    }
    if kept[labelled].any():
        right = (votes.winner == truth)[labelled & kept]
        metrics["held_out_accepted_accuracy"] = float(right.mean())
    if not labelled.all():
        metrics["background_n"] = float((~labelled).sum())
        metrics["background_rejected"] = float(1.0 - kept[~labelled].mean())
    return metrics


def _is_background(table: SegmentTable) -> NDArray[np.bool_]:
    return np.array([c is None for c in table.class_names], dtype=bool)
