"""Build a memory bank from the labelled segments of a store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from typing import TypeAlias

from samdb.bank.calibrate import Calibration, calibrate
from samdb.bank.head_file import compact, head_fingerprint
from samdb.bank.prototypes import fit_prototypes
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.bank.whitening import fit_whitening
from samdb.core.bank import Bank, BankCard, Prototype, Setting, check_bank_name
from samdb.core.head import PROJECTED
from samdb.core.points import Condition, Where
from samdb.errors import ConfigError
from samdb.pipelines.bank_source import BankSource, LabelledSegments, read_background, read_labelled
from samdb.pipelines.project import make_active
from samdb.pipelines.publish_bank import publish, reserve_version
from samdb.ports import VectorStore
from samdb.sam.recipes import PROJECTION_DIM

#: told what is going on: the stage, how much of it is done, how much there is
BankProgress: TypeAlias = Callable[[str, int, int], None]

# used when no image can be held out to choose on; on BDD100K frames the best or near it for every recipe
_UNCALIBRATED_NEIGHBOURS = 5
_UNCALIBRATED_TEMPERATURE = 0.02


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One class of a new bank: what it was learned from, its prototypes, its threshold, and its F1 on
    held-out images (None when it could not be measured)."""

    class_name: str
    n_segments: int
    n_prototypes: int
    threshold: float
    held_out_f1: float | None


@dataclass(frozen=True, slots=True)
class BuildBankReport:
    """What `build_bank` did.

    `skipped` are the classes left out, each with its reason; `n_without_embedding` labelled segments lack
    the recipe. `calibrated` is False when all images fell on one side of the hold-out split: then nothing
    was measured and no threshold rejects.
    """

    card: BankCard
    classes: tuple[ClassReport, ...]
    skipped: Mapping[str, str]
    n_background: int
    n_background_prototypes: int
    n_without_embedding: int
    calibrated: bool
    active: bool
    seconds: float

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        from samdb.pipelines.notebook_reports import bank_html

        return bank_html(self)


def build_bank(
    store: VectorStore,
    *,
    recipe: str,
    name: str = "default",
    fingerprint: str = "",
    k: int = 51,
    min_segments: int = 1,
    min_area_px: int = 0,
    exclude: Sequence[str] = (),
    where: Where = (),
    parts: bool = False,
    named: bool = False,
    background: bool = True,
    whiten: bool = False,
    max_background: int = 20_000,
    segments_per_centre: int | None = None,
    k_neighbours: int | None = None,
    vote_temperature: float | None = None,
    seed: int = 0,
    activate: bool = True,
    progress: BankProgress | None = None,
) -> BuildBankReport:
    """Learn a bank: read, calibrate on held-out images, fit on everything, publish.

    Per class, `k` KMeans centres or fewer (see `BankSettings`) of the labelled segments that match `where`
    (see `BankSource` for `exclude`, `min_segments`, `min_area_px`, `parts` and `named`). With `background`,
    centres of up to `max_background` automatic segments that touch no labelled object. How many neighbours
    vote and how sharply is chosen on held-out images unless given. With `whiten` the vectors are first
    projected by a linear head that makes the classes round (see `samdb.bank.whitening`). The same store,
    settings and seed give the same prototypes, bit for bit. The new version is published when all of it is
    stored, and then activated: with a head, every stored segment then gets its projected vector.

    Raises BankError when there is nothing to learn from, ConfigError on a setting that cannot be used.
    """
    started = time.monotonic()
    tell = progress or silent
    try:
        check_bank_name(name)
        settings = BankSettings(k=k, k_neighbours=k_neighbours, vote_temperature=vote_temperature, seed=seed)
        if segments_per_centre is not None:
            settings = replace(settings, segments_per_centre=segments_per_centre)
        source = BankSource(
            recipe, tuple(where), tuple(exclude), min_segments, min_area_px, parts, named=named
        )
    except ValueError as exc:
        raise ConfigError(f"cannot build a bank: {exc}") from exc
    tell("read", 0, 1)
    labelled = read_labelled(store, source)
    negatives = read_background(store, source, max_background) if background else []
    table = SegmentTable.of([*labelled.segments, *negatives])
    tell("read", 1, 1)

    fit_head = partial(fit_whitening, recipes=source.recipes, dim=PROJECTION_DIM) if whiten else None
    found = calibrate(table, settings, lambda done, total: tell("calibrate", done, total), fit_head)
    head = None if fit_head is None else compact(fit_head(table))
    if head is not None:
        table = table.projected(head)
    version = reserve_version(store, name)
    tell("fit", 0, 1)
    prototypes = fit_prototypes(table, settings, bank=name, version=version)
    tell("fit", 1, 1)

    card = BankCard(
        name=name,
        version=version,
        model=labelled.model,
        fingerprint=fingerprint,
        recipe=PROJECTED if head else recipe,
        head=head_fingerprint(head) if head else "",
        inputs=head.recipes if head else (),
        dim=int(table.vectors.shape[1]),
        classes=table.classes,
        n_prototypes=len(prototypes),
        k_neighbours=found.k_neighbours if found else (k_neighbours or _UNCALIBRATED_NEIGHBOURS),
        vote_temperature=found.vote_temperature if found else (vote_temperature or _UNCALIBRATED_TEMPERATURE),
        thresholds=dict(found.thresholds) if found else dict.fromkeys(table.classes, 0.0),
        conformal=dict(found.conformal.limits) if found else {},
        sure=dict(found.sure) if found else {},
        settings={**settings.as_settings(), **source_settings(source, background), "whiten": whiten},
        class_counts={c: n for c, n in sorted(Counter(table.class_names).items(), key=str) if c is not None},
        metrics=bank_metrics(found),
        created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    tell("publish", 0, 1)
    publish(store, Bank(card, prototypes, head))
    if activate:
        make_active(store, card, lambda done, total: tell("project", done, total))
    tell("publish", 1, 1)
    return bank_report(
        card, prototypes, labelled, found, len(negatives), activate, time.monotonic() - started
    )


def bank_metrics(found: Calibration | None) -> Mapping[str, float]:
    """How a bank did on held-out images, as its card keeps it."""
    if found is None:
        return {}
    return {**found.metrics, **{f"held_out_f1/{name}": f1 for name, f1 in found.figures.f1.items()}}


def source_settings(source: BankSource, background: bool) -> Mapping[str, Setting]:
    """What a bank was learned from, as its card keeps it."""
    return {
        "where": " ".join(_show(c) for c in source.where) or None,
        "exclude": ",".join(source.exclude) or None,
        "min_segments": source.min_segments,
        "min_area_px": source.min_area_px,
        "max_per_class": source.max_per_class,
        "parts": source.parts,
        "named": source.named,
        "background": background,
    }


def _show(condition: Condition) -> str:
    return f"{condition.key}{condition.op}{','.join(str(v) for v in condition.values)}"


def bank_report(
    card: BankCard,
    prototypes: Sequence[Prototype],
    labelled: LabelledSegments,
    found: Calibration | None,
    n_background: int,
    active: bool,
    seconds: float,
) -> BuildBankReport:
    """The report of a bank that was published."""
    centres = Counter(p.class_name for p in prototypes)
    f1 = found.figures.f1 if found else {}
    return BuildBankReport(
        card=card,
        classes=tuple(
            ClassReport(c, card.class_counts[c], centres[c], card.thresholds[c], f1.get(c))
            for c in card.classes
        ),
        skipped=labelled.skipped,
        n_background=n_background,
        n_background_prototypes=centres[None],
        n_without_embedding=labelled.n_without_embedding,
        calibrated=found is not None,
        active=active,
        seconds=seconds,
    )


def silent(stage: str, done: int, total: int) -> None:
    """No progress is shown."""
