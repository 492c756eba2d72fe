"""What an evaluation compares: methods that learn from train.

A new method is one class with `name`, `recipes`, `settings` and `fit`; no figure knows which one it judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

import numpy as np

from samdb.bank.calibrate import calibrate
from samdb.bank.classifier import class_indices
from samdb.bank.prototypes import fit_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.threads import one_thread
from samdb.bank.whitening import fit_whitening
from samdb.core.bank import Bank, Setting
from samdb.pipelines.evaluate_answers import PRIOR_THRESHOLD, Fitted, Guessing, NearestCentre, VotingBank
from samdb.sam.recipes import PROJECTION_DIM

#: the prior work's: 51 centres in every class, however small; the nearest one decides
PRIOR_SETTINGS: Final = BankSettings(k=51, segments_per_centre=1, k_neighbours=1, vote_temperature=0.02)

# as `samdb bank build` does where it can hold nothing out
_UNCALIBRATED: Final = (5, 0.02)


class Method(Protocol):
    """Something to compare."""

    @property
    def name(self) -> str:
        """What it is called in tables."""

    @property
    def recipes(self) -> tuple[str, ...]:
        """The embeddings it reads; none when it looks at nothing."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What it is made with, for the record."""

    def fit(self, train: SegmentTable, leave_out: frozenset[str], seed: int) -> Fitted | None:
        """Learn without the classes `leave_out`; None when it already knows one of them.

        Thresholds come from images of `train` alone.
        """


@dataclass(frozen=True, slots=True)
class KMeansMethod:
    """The bank that `samdb bank build` makes (with `whiten` `--whiten`), fitted in memory: the store is only
    read.
    """

    name: str
    recipe: str
    bank: BankSettings
    whiten: bool = False

    @property
    def recipes(self) -> tuple[str, ...]:
        """The one it was made for."""
        return (self.recipe,)

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The bank's knobs; the seed changes with every run."""
        knobs = {name: value for name, value in self.bank.as_settings().items() if name != "seed"}
        return {**knobs, "whiten": self.whiten}

    def fit(self, train: SegmentTable, leave_out: frozenset[str], seed: int) -> Fitted:
        """KMeans, its vote and thresholds calibrated on held-out images of `train`."""
        table, settings = without(train, leave_out), replace(self.bank, seed=seed)
        fit_head = partial(fit_whitening, recipes=self.recipes, dim=PROJECTION_DIM) if self.whiten else None
        found = calibrate(table, settings, fit_head=fit_head)
        k, temperature = (found.k_neighbours, found.vote_temperature) if found else _UNCALIBRATED
        thresholds = found.thresholds if found else dict.fromkeys(table.classes, 0.0)
        head = None if fit_head is None else fit_head(table)
        with one_thread():
            learned = table if head is None else table.projected(head)
            prototypes = fit_prototypes(learned, settings, bank="eval", version=1)
        return VotingBank(self.recipe, prototypes, table.classes, k, temperature, thresholds, head)


@dataclass(frozen=True, slots=True)
class PriorWork:
    """The prior work's bank: the class of the nearest of 51 centres per class if its cosine is above 0.8."""

    name: str
    recipe: str

    @property
    def recipes(self) -> tuple[str, ...]:
        """The one it was made for."""
        return (self.recipe,)

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Its two numbers."""
        return {"k": PRIOR_SETTINGS.k, "threshold": PRIOR_THRESHOLD}

    def fit(self, train: SegmentTable, leave_out: frozenset[str], seed: int) -> Fitted:
        """KMeans; nothing is calibrated."""
        table = without(train, leave_out)
        with one_thread():
            prototypes = fit_prototypes(table, replace(PRIOR_SETTINGS, seed=seed), bank="eval", version=1)
        return NearestCentre(self.recipe, prototypes, table.classes)


@dataclass(frozen=True, slots=True)
class StoredBank:
    """A published bank, as it is: it learns nothing here, so that its seeds are all the same."""

    bank: Bank

    @property
    def name(self) -> str:
        """Its name and version."""
        return self.bank.card.label

    @property
    def recipes(self) -> tuple[str, ...]:
        """What its head reads, or what it compares."""
        return self.bank.card.embeddings

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What it was built with."""
        return self.bank.card.settings

    def fit(self, train: SegmentTable, leave_out: frozenset[str], seed: int) -> Fitted | None:
        """Itself, unless it knows what must be left out."""
        card = self.bank.card
        if leave_out & set(card.classes):
            return None
        return VotingBank(
            card.recipe,
            self.bank.prototypes,
            card.classes,
            card.k_neighbours,
            card.vote_temperature,
            card.thresholds,
            self.bank.head,
        )


@dataclass(frozen=True, slots=True)
class Chance:
    """Classes drawn at random as often as train has them: what any method must beat."""

    name: str = "chance"
    recipes: tuple[str, ...] = ()

    @property
    def settings(self) -> Mapping[str, Setting]:
        """None."""
        return {}

    def fit(self, train: SegmentTable, leave_out: frozenset[str], seed: int) -> Fitted:
        """Count the classes, and background if there is any."""
        table = without(train, leave_out)
        codes = class_indices(table.class_names, table.classes)
        counts = np.bincount(codes, minlength=len(table.classes) + 1).astype(np.float64)
        return Guessing(table.classes, counts / counts.sum(), seed)


def without(table: SegmentTable, leave_out: frozenset[str]) -> SegmentTable:
    """The table without the segments of some classes, their parts included."""
    return table.take(np.array([name not in leave_out for name in table.class_names], dtype=bool))
