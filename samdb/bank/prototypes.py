"""From segments to prototypes: KMeans per class, whole and part apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samdb.bank.kmeans import fit_centres, seed_for
from samdb.bank.settings import BankSettings
from samdb.bank.table import SegmentTable
from samdb.core.bank import Prototype
from samdb.core.ids import make_id
from samdb.core.segment import Granularity

_BACKGROUND = "\x00background"


def fit_prototypes(
    table: SegmentTable, settings: BankSettings, *, bank: str, version: int
) -> tuple[Prototype, ...]:
    """KMeans prototypes of every class in the table, and of background if it has any, sorted by id.

    Whole segments and parts (part and subpart together) are clustered apart: their embeddings lie far
    apart, and a centre between the two would be close to neither. `bank` and `version` name the prototypes.
    """
    prototypes: list[Prototype] = []
    groups: tuple[tuple[Granularity, tuple[Granularity, ...]], ...] = (
        ("whole", ("whole",)),
        ("part", ("part", "subpart")),
    )
    names: list[str | None] = [*table.classes, *([None] if table.has_background else [])]
    for class_name in names:
        for granularity, members in groups:
            rows = np.array(
                [
                    c == class_name and g in members
                    for c, g in zip(table.class_names, table.granularities, strict=True)
                ],
                dtype=bool,
            )
            if rows.any():
                group = _Group(bank, version, class_name, granularity)
                prototypes += _fit(table.take(rows), group, settings)
    return tuple(sorted(prototypes, key=lambda p: p.prototype_id))


@dataclass(frozen=True, slots=True)
class _Group:
    """Which prototypes these are; their ids follow from it."""

    bank: str
    version: int
    class_name: str | None
    granularity: Granularity

    @property
    def label(self) -> str:
        return _BACKGROUND if self.class_name is None else self.class_name

    def prototype_id(self, index: int) -> str:
        parts = (self.bank, str(self.version), self.label, self.granularity, str(index))
        return make_id("prototype", *parts)


def _fit(table: SegmentTable, group: _Group, settings: BankSettings) -> list[Prototype]:
    background = group.class_name is None
    most = settings.background_k if background else settings.k
    centres = fit_centres(
        table.vectors,
        min(most, max(1, len(table) // settings.segments_per_centre)),
        seed=seed_for(settings.seed, group.label, group.granularity),
        mini_batch_above=settings.mini_batch_above,
    )
    return [
        Prototype(
            prototype_id=group.prototype_id(i),
            vector=vector,
            class_name=group.class_name,
            granularity=group.granularity,
            count=int(centres.counts[i]),
            origin="background" if background else "kmeans",
            exemplar_id=table.ids[int(centres.exemplars[i])],
        )
        for i, vector in enumerate(centres.vectors)
    ]
