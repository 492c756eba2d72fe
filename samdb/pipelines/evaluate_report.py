"""What an evaluation was asked, what it found, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from samdb.core.bank import Setting
from samdb.core.metrics_calibration import Reliability, reliability
from samdb.core.metrics_ranking import PrecisionRecall
from samdb.core.points import PayloadValue

#: raised when a key of the JSON changes its meaning or goes away
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class EvalSettings:
    """What to evaluate.

    `dataset` None means the only one in the store. `classes` empty means those with at least 20 boxes to
    judge by. Labelled boxes and automatic masks below `min_box_px2` are left out. `open_set` are classes that
    are hidden from the methods to see whether they notice. `banks` are published banks to compare; with
    `whiten` and `train` also a bank of whitened vectors, and one trained on `train_recipes` (none: `recipe`).
    `group_by` is an attribute to break figures down by. With `parts` banks also learn from parts.
    """

    recipe: str
    dataset: str | None = None
    train_split: str = "train"
    val_split: str = "val"
    classes: tuple[str, ...] = ()
    min_box_px2: float = 1024.0
    open_set: tuple[str, ...] = ()
    banks: tuple[str, ...] = ()
    group_by: str = "timeofday"
    parts: bool = True
    whiten: bool = False
    train: bool = False
    train_recipes: tuple[str, ...] = ()
    seeds: int = 3

    def __post_init__(self) -> None:
        if self.seeds < 1 or self.min_box_px2 < 0:
            raise ValueError("seeds must be at least 1, min_box_px2 at least 0")


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure of every seed, in their order."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """The standard deviation over the seeds, 0 of one."""
        return float(np.std(self.values))


@dataclass(frozen=True, slots=True)
class SeedCurves:
    """What is drawn of one seed.

    `confusion` (C, C + 2) as `evaluate_figures.confusion`; `confidence` and `right` (N,) of the labelled
    boxes; curves by class, and "all". Without automatic masks `automatic` is empty.
    """

    confusion: NDArray[np.int64]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    labelled: Mapping[str, PrecisionRecall]
    automatic: Mapping[str, PrecisionRecall] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MethodReport:
    """How one method did: its figures by name (README, "How good is it"), and why others are missing."""

    name: str
    recipes: tuple[str, ...]
    settings: Mapping[str, Setting]
    figures: Mapping[str, Spread]
    skipped: Mapping[str, str]
    curves: tuple[SeedCurves, ...]

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Counts (C, C + 2) of all seeds together."""
        return np.asarray(np.sum([c.confusion for c in self.curves], axis=0), dtype=np.int64)

    @property
    def reliability(self) -> Reliability:
        """Of all seeds' answers together."""
        return reliability(
            np.concatenate([c.confidence for c in self.curves]),
            np.concatenate([c.right for c in self.curves]),
        )


@dataclass(frozen=True, slots=True)
class EvalReport:
    """What was compared on what.

    `counts` are images and segments of both sides; `class_counts` the boxes judged by. `notes` say what was
    left out and why. `methods` begin with the chosen recipe's bank.
    """

    dataset: str
    store: str
    model: str
    settings: EvalSettings
    classes: tuple[str, ...]
    hidden: tuple[str, ...]
    split_by_hash: bool
    counts: Mapping[str, int]
    class_counts: Mapping[str, int]
    notes: tuple[str, ...]
    methods: tuple[MethodReport, ...]
    seconds: float

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from samdb.pipelines.notebook_reports import evaluation_html

        return evaluation_html(self)


def report_record(report: EvalReport, created_at: str = "") -> dict[str, PayloadValue]:
    """The report as JSON. Keys are stable within a `format`; each figure is {mean, std, values}.

    `confusion` has a row per class of `classes` and a column per class, then "another class" and "rejected",
    as counts of all seeds together; `reliability` has ten bins of confidence, likewise. What cannot be told,
    such as the accuracy of an empty bin, is null.
    """
    asked = report.settings
    return {
        "format": FORMAT,
        "created_at": created_at,
        "dataset": report.dataset,
        "store": report.store,
        "model": report.model,
        "protocol": {
            "recipe": asked.recipe,
            "train_recipes": list(asked.train_recipes),
            "train_split": asked.train_split,
            "val_split": asked.val_split,
            "split_by_hash": report.split_by_hash,
            "min_box_px2": asked.min_box_px2,
            "parts": asked.parts,
            "seeds": asked.seeds,
            "group_by": asked.group_by,
            "open_set": list(report.hidden),
        },
        "classes": list(report.classes),
        "counts": dict(report.counts),
        "class_counts": dict(report.class_counts),
        "notes": list(report.notes),
        "methods": [_method_record(m) for m in report.methods],
        "seconds": report.seconds,
    }


def _method_record(method: MethodReport) -> dict[str, PayloadValue]:
    bins = method.reliability
    return {
        "name": method.name,
        "recipes": list(method.recipes),
        "settings": dict(method.settings),
        "figures": {
            name: {"mean": s.mean, "std": s.std, "values": list(s.values)}
            for name, s in method.figures.items()
        },
        "skipped": dict(method.skipped),
        "confusion": [[int(n) for n in row] for row in method.confusion],
        "reliability": {
            "counts": [int(n) for n in bins.counts],
            "confidence": _numbers(bins.confidence),
            "accuracy": _numbers(bins.accuracy),
        },
    }


def _numbers(values: NDArray[np.float64]) -> Sequence[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]
