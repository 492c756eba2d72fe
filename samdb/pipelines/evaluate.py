"""Evaluate: how good banks are on images that they have not seen, beside the prior work and chance.

    read what is learned from and what is judged by, split by image    evaluate_data, evaluate_material
    learn, once per method and seed                                    evaluate_methods
    answer                                                             evaluate_answers
    figures of labelled boxes, retrieval, open set, automatic masks    evaluate_figures, evaluate_automatic

The store is only read. No threshold ever sees what is judged by.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.core.metrics_ranking import PrecisionRecall
from samdb.core.points import Condition
from samdb.core.segment import FLAG_FOUND
from samdb.pipelines.bank_versions import load_bank
from samdb.pipelines.classify_segments import check_bank_fits
from samdb.pipelines.evaluate_answers import Fitted
from samdb.pipelines.evaluate_automatic import automatic_figures
from samdb.pipelines.evaluate_figures import (
    Figures,
    confusion,
    labelled_curves,
    labelled_figures,
    open_set_figures,
    retrieval_figures,
)
from samdb.pipelines.evaluate_material import PRIOR_RECIPE, Material, read_material
from samdb.pipelines.evaluate_methods import Chance, KMeansMethod, Method, PriorWork, StoredBank
from samdb.pipelines.evaluate_report import EvalReport, EvalSettings, MethodReport, SeedCurves, Spread
from samdb.ports import VectorStore
from samdb.stores.layout import SEGMENTS

#: told what is going on: the stage, how much of it is done, how much there is
EvalProgress: TypeAlias = Callable[[str, int, int], None]

#: what the prior work's bank is called in a report
PRIOR_NAME: Final = "prior work"


def evaluate(store: VectorStore, settings: EvalSettings, progress: EvalProgress | None = None) -> EvalReport:
    """Compare the bank of a recipe with the prior work's, with chance and with published banks.

    Raises ConfigError when splits or classes are not in the store, BankError when labels or embeddings are
    not, or a published bank is not there or made for another model. What else is missing (automatic masks,
    the prior work's recipe, classes to leave out) is skipped, and the report says so.
    """
    started = time.monotonic()
    tell = progress or _silent
    tell("read", 0, 1)
    banks = [StoredBank(load_bank(store, name)) for name in settings.banks]
    trained = settings.train_recipes if settings.train else ()
    material = read_material(store, settings, frozenset((*trained, *(r for b in banks for r in b.recipes))))
    for bank in banks:
        check_bank_fits(bank.bank.card, model=material.model)
    tell("read", 1, 1)
    own = KMeansMethod(f"{settings.recipe} bank", settings.recipe, BankSettings())
    methods: list[Method] = [own]
    if settings.whiten:
        methods.append(replace(own, name=f"{own.name}, whitened", whiten=True))
    if settings.train:
        from samdb.pipelines.evaluate_trained import TrainedMethod  # torch is loaded for it alone

        methods.append(TrainedMethod("trained bank", settings.train_recipes or (settings.recipe,)))
    methods += banks
    if PRIOR_RECIPE in material.train:
        methods.append(PriorWork(PRIOR_NAME, PRIOR_RECIPE))
    methods.append(Chance())

    reports = []
    for i, method in enumerate(methods):
        run = _Run(material, settings, method)
        for seed in range(settings.seeds):
            tell("measure", i * settings.seeds + seed, len(methods) * settings.seeds)
            run.measure(seed)
        reports.append(run.report())
    tell("measure", len(methods) * settings.seeds, len(methods) * settings.seeds)
    return EvalReport(
        dataset=material.splits.dataset,
        store=store.address,
        model=material.model,
        settings=settings,
        classes=material.classes,
        hidden=material.hidden,
        split_by_hash=material.splits.by_hash,
        counts=material.counts,
        class_counts={c: Counter(material.val.labels)[c] for c in material.classes},
        notes=(*material.notes, *_more_notes(store, settings, material, banks)),
        methods=tuple(reports),
        seconds=time.monotonic() - started,
    )


@dataclass(slots=True)
class _Run:
    """One method, seed by seed."""

    material: Material
    settings: EvalSettings
    method: Method
    seeds: list[Figures] = field(default_factory=list)
    curves: list[SeedCurves] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    retrieval: tuple[NDArray[np.float32], Figures] | None = None

    @property
    def _train(self) -> SegmentTable:
        """What the method learns from: vectors of the recipe that it reads, if it learns at all."""
        train = self.material.train
        reads = "+".join(self.method.recipes)
        return train.get(reads, train[self.settings.recipe])

    def measure(self, seed: int) -> None:
        """All figures of one seed."""
        m = self.material
        fitted = self.method.fit(self._train, frozenset(), seed)
        assert fitted is not None  # nothing is to be left out
        answers = fitted.answer(m.val)
        truth = np.array(m.val.labels, dtype=object)
        automatic, of_automatic = self._automatic(fitted)
        self.curves.append(
            SeedCurves(
                confusion=confusion(answers, m.val, m.classes),
                confidence=answers.confidence,
                right=np.array(answers.guesses, dtype=object) == truth,
                labelled=labelled_curves(answers, m.val, m.classes),
                automatic=of_automatic,
            )
        )
        self.seeds.append(
            {
                **labelled_figures(answers, m.val, m.classes, self.settings.group_by),
                **self._retrieval(fitted),
                **self._open_set(seed),
                **automatic,
            }
        )

    def report(self) -> MethodReport:
        """Every figure with its values over the seeds that have it."""
        names = dict.fromkeys(name for figures in self.seeds for name in figures)
        return MethodReport(
            name=self.method.name,
            recipes=self.method.recipes,
            settings=self.method.settings,
            figures={n: Spread(tuple(f[n] for f in self.seeds if n in f)) for n in names},
            skipped=self.skipped,
            curves=tuple(self.curves),
        )

    def _retrieval(self, fitted: Fitted) -> Figures:
        rows, gallery_rows = fitted.embed(self.material.val), fitted.embed(self.material.gallery)
        # stored vectors are the same array for every seed: what was found is found again
        if self.retrieval is None or self.retrieval[0] is not rows:
            found = retrieval_figures(self.material.val, rows, self.material.gallery, gallery_rows)
            self.retrieval = (rows, found)
        return self.retrieval[1]

    def _open_set(self, seed: int) -> Figures:
        m = self.material
        if not m.hidden:
            asked = ", ".join(self.settings.open_set) or "none was asked for"
            self.skipped["open_set"] = f"no class to leave out ({asked}): name some with --open-set"
            return {}
        fitted = self.method.fit(self._train, frozenset(m.hidden), seed)
        if fitted is None:
            self.skipped["open_set"] = f"it knows {', '.join(m.hidden)}, and cannot be made to forget"
            return {}
        known = m.val.of_classes([c for c in m.classes if c not in m.hidden])
        return open_set_figures(fitted.answer(known).confidence, fitted.answer(m.hidden_val).confidence)

    def _automatic(self, fitted: Fitted) -> tuple[Figures, dict[str, PrecisionRecall]]:
        m = self.material
        lacking = [recipe for recipe in self.method.recipes if recipe not in m.scene_recipes]
        if m.scene is None or lacking:
            self.skipped["automatic"] = (
                m.no_scene or f"the automatic masks have no {', '.join(lacking)} embedding"
            )
            return {}, {}
        found = automatic_figures(m.scene, fitted.answer(m.scene.masks))
        figures, curves = dict(found.figures), dict(found.curves)
        if fitted.knows_background:
            plain = automatic_figures(m.scene, fitted.answer(m.scene.masks, background=False))
            prefix = "automatic_without_background/"
            figures |= {prefix + name.partition("/")[2]: value for name, value in plain.figures.items()}
        return figures, curves


def _more_notes(
    store: VectorStore, settings: EvalSettings, material: Material, banks: list[StoredBank]
) -> list[str]:
    notes = []
    for bank in banks:
        learned = str(bank.bank.card.settings.get("where") or "everything")
        if f"split={settings.train_split}" not in learned.split():
            notes.append(
                f"bank {bank.name} was built from {learned}: if images to judge by are among them, its "
                f"figures flatter it (--where split={settings.train_split})"
            )
    found = (Condition("flags", "=", (FLAG_FOUND,)), *material.splits.val)
    if material.scene is not None and not store.count(SEGMENTS, found):
        notes.append(
            "automatic masks that repeat a labelled object are not known in this store (an older samdb "
            "ingested it, or there are none): the recall of automatic masks is too low"
        )
    return notes


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""
