"""The trained bank as an evaluation learns it: in memory, for every seed, also without some classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from samdb.bank.calibrate import calibrate_bank, fold_of, is_judge
from samdb.bank.fit_head import FittedHead, fit_head
from samdb.bank.learned import learned_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.train_settings import settings_for
from samdb.core.bank import Prototype, Setting
from samdb.pipelines.evaluate_answers import VotingBank
from samdb.pipelines.evaluate_methods import without
from samdb.sam.recipes import PROJECTION_DIM


@dataclass(frozen=True, slots=True)
class TrainedMethod:
    """The bank that `samdb bank train` makes of one recipe with the settings it has of itself."""

    name: str
    recipes: tuple[str, ...]

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The knobs of its training."""
        return {name: v for name, v in settings_for("prototypes").as_settings().items() if name != "seed"}

    def fit(self, train: SegmentTable, leave_out: frozenset[str], seed: int) -> VotingBank:
        """Train without the images of one fold, which choose when to stop, the vote and the thresholds; then
        on everything, as `samdb bank train` does.
        """
        table, settings = without(train, leave_out), settings_for("prototypes", seed=seed)
        folds = np.array([fold_of(key, seed) for key in table.image_keys])
        learn, judges = table.take(folds != 0), table.take((folds == 0) & is_judge(table))
        judges = judges.take(np.array([c is None or c in learn.classes for c in judges.class_names], bool))
        found, epochs = None, None
        if learn.classes and judges.classes:
            trial = fit_head(learn, self.recipes, PROJECTION_DIM, settings, judges)
            prototypes = _learned(trial, learn)
            found = calibrate_bank(
                prototypes, judges.projected(trial.head), learn.classes, BankSettings(seed=seed)
            )
            epochs = trial.epochs
        fitted = fit_head(table, self.recipes, PROJECTION_DIM, settings, stop_at=epochs)
        prototypes = _learned(fitted, table)
        return VotingBank(
            recipe=self.recipes[0],
            prototypes=prototypes,
            classes=table.classes,
            k_neighbours=found.k_neighbours if found else min(25, len(prototypes)),
            temperature=found.vote_temperature if found else 1 / settings.scale,
            thresholds=found.thresholds if found else {},
            head=fitted.head,
        )


def _learned(fitted: FittedHead, table: SegmentTable) -> tuple[Prototype, ...]:
    return learned_prototypes(fitted.prototypes, table.projected(fitted.head), bank="eval", version=1)
