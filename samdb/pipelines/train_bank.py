"""Train a head and a memory bank from the labelled segments of a store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import numpy as np

from samdb.bank.calibrate import Calibration, calibrate_bank, fold_of, is_judge
from samdb.bank.fit_head import FittedHead, fit_head
from samdb.bank.head_file import head_fingerprint
from samdb.bank.learned import learned_prototypes
from samdb.bank.prototypes import fit_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.train_settings import TrainSettings
from samdb.bank.training import CurvePoint
from samdb.core.bank import Bank, BankCard, Prototype, check_bank_name
from samdb.core.head import PROJECTED
from samdb.core.points import Where
from samdb.errors import ConfigError
from samdb.pipelines.bank_source import BankSource, read_background, read_labelled
from samdb.pipelines.build_bank import (
    BankProgress,
    BuildBankReport,
    bank_metrics,
    bank_report,
    silent,
    source_settings,
)
from samdb.pipelines.project import make_active
from samdb.pipelines.publish_bank import publish, reserve_version
from samdb.ports import VectorStore
from samdb.sam.recipes import PROJECTION_DIM


@dataclass(frozen=True, slots=True)
class TrainBankReport:
    """What `train_bank` did: the bank as `build_bank` reports it, and a curve per member, with the epoch that
    was best on held-out images (empty when none could be held out)."""

    bank: BuildBankReport
    curves: tuple[tuple[CurvePoint, ...], ...]
    best_epochs: tuple[int, ...]

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from samdb.pipelines.notebook_reports import trained_html

        return trained_html(self)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is trained, and how."""

    recipes: tuple[str, ...]
    train: TrainSettings
    bank: BankSettings
    kmeans: bool


def train_bank(
    store: VectorStore,
    *,
    recipes: Sequence[str],
    settings: TrainSettings,
    name: str = "default",
    fingerprint: str = "",
    kmeans: bool = False,
    min_segments: int = 1,
    min_area_px: int = 0,
    exclude: Sequence[str] = (),
    where: Where = (),
    parts: bool = True,
    background: bool = True,
    max_background: int = 20_000,
    activate: bool = True,
    progress: BankProgress | None = None,
) -> TrainBankReport:
    """Train a projection head on stored embeddings of `recipes` and learn the bank with it.

    The images of one fold in five are held out: on them training is stopped, and how many neighbours vote,
    how sharply, and the thresholds are chosen. Then head and bank are trained again on everything, as long
    as was best. With `kmeans` the bank is KMeans centres of projected segments instead of the learned
    prototypes. What to learn from is as for `build_bank`. The new version is published when all of it is
    stored; with `activate` every stored segment gets its projected vector, and it becomes the active one.

    Raises BankError when there is nothing to learn from, ConfigError on a setting that cannot be used.
    """
    started = time.monotonic()
    tell = progress or silent
    try:
        check_bank_name(name)
        first, *beside = recipes
        source = BankSource(
            first, tuple(where), tuple(exclude), min_segments, min_area_px, parts, beside=tuple(beside)
        )
    except ValueError as exc:
        raise ConfigError(f"cannot train a bank: {exc}") from exc
    plan = _Plan(source.recipes, settings, BankSettings(seed=settings.seed), kmeans)
    tell("read", 0, 1)
    labelled = read_labelled(store, source)
    negatives = read_background(store, source, max_background) if background else []
    table = SegmentTable.of([*labelled.segments, *negatives])
    tell("read", 1, 1)

    trial, found = _trial(table, plan, tell)
    fitted = fit_head(
        table,
        plan.recipes,
        PROJECTION_DIM,
        settings,
        stop_at=trial.epochs if trial else None,
        progress=lambda done, total: tell("train on everything", done, total),
    )
    version = reserve_version(store, name)
    projected = table.projected(fitted.head)
    prototypes = _prototypes(fitted, projected, plan, name, version)
    card = BankCard(
        name=name,
        version=version,
        model=labelled.model,
        fingerprint=fingerprint,
        recipe=PROJECTED,
        head=head_fingerprint(fitted.head),
        inputs=plan.recipes,
        dim=fitted.head.dim,
        classes=table.classes,
        n_prototypes=len(prototypes),
        k_neighbours=found.k_neighbours if found else min(25, len(prototypes)),
        vote_temperature=found.vote_temperature if found else 1 / settings.scale,
        thresholds=dict(found.thresholds) if found else dict.fromkeys(table.classes, 0.0),
        conformal=dict(found.conformal.limits) if found else {},
        sure=dict(found.sure) if found else {},
        settings={
            **settings.as_settings(),
            **source_settings(source, background),
            "bank": "kmeans" if kmeans else "learned",
        },
        class_counts={c: n for c, n in sorted(Counter(table.class_names).items(), key=str) if c is not None},
        metrics={**bank_metrics(found), "n_images": float(len(set(table.image_keys)))},
        created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    tell("publish", 0, 1)
    publish(store, Bank(card, prototypes, fitted.head))
    tell("publish", 1, 1)
    if activate:
        make_active(store, card, lambda done, total: tell("project", done, total))
    report = bank_report(
        card, prototypes, labelled, found, len(negatives), activate, time.monotonic() - started
    )
    return TrainBankReport(report, trial.curves if trial else (), trial.epochs if trial else ())


def _trial(
    table: SegmentTable, plan: _Plan, tell: BankProgress
) -> tuple[FittedHead | None, Calibration | None]:
    """Train without the images of one fold, and judge that bank by them; None when none can be held out."""
    folds = np.array([fold_of(key, plan.train.seed) for key in table.image_keys])
    learn, judges = table.take(folds != 0), table.take((folds == 0) & is_judge(table))
    # a class that only the held-out images have cannot be learned: it says nothing about the head
    judges = judges.take(np.array([c is None or c in learn.classes for c in judges.class_names], dtype=bool))
    if not learn.classes or not judges.classes:
        return None, None
    fitted = fit_head(
        learn,
        plan.recipes,
        PROJECTION_DIM,
        plan.train,
        judges,
        progress=lambda done, total: tell("train", done, total),
    )
    prototypes = _prototypes(fitted, learn.projected(fitted.head), plan, "trial", 1)
    found = calibrate_bank(prototypes, judges.projected(fitted.head), learn.classes, plan.bank)
    if found is not None and learn.classes != table.classes:
        # what could not be judged rejects nothing
        found = replace(found, thresholds={**dict.fromkeys(table.classes, 0.0), **found.thresholds})
    return fitted, found


def _prototypes(
    fitted: FittedHead, projected: SegmentTable, plan: _Plan, name: str, version: int
) -> tuple[Prototype, ...]:
    if plan.kmeans:
        return fit_prototypes(projected, plan.bank, bank=name, version=version)
    return learned_prototypes(fitted.prototypes, projected, bank=name, version=version)
