"""Learned prototypes as the prototypes of a bank: what each stands for, and the real segment behind it."""

from __future__ import annotations

from collections import Counter

import numpy as np

from samdb.bank.table import SegmentTable
from samdb.core.bank import Prototype
from samdb.core.head import Rows
from samdb.core.ids import make_id
from samdb.core.segment import Granularity


def learned_prototypes(rows: Rows, table: SegmentTable, *, bank: str, version: int) -> tuple[Prototype, ...]:
    """The prototypes `rows` (C, K, P) of norm 1 as a bank's, sorted by id.

    `table` holds the projected segments that they were learned from; its classes in their order, then
    background, are the C. A prototype that is nearest to no segment of its class stands for nothing and is
    left out. It is a part's when most of its segments are parts.
    """
    names: list[str | None] = [*table.classes, *([None] if table.has_background else [])]
    if len(names) != len(rows):
        raise ValueError(f"{len(rows)} classes of prototypes, {len(names)} of segments")
    prototypes: list[Prototype] = []
    for class_name, own in zip(names, rows, strict=True):
        members = np.flatnonzero(np.array([c == class_name for c in table.class_names], dtype=bool))
        cosines = table.vectors[members] @ own.T
        nearest = cosines.argmax(axis=1)
        for index in range(len(own)):
            followers = members[nearest == index]
            if not len(followers):
                continue
            exemplar = followers[cosines[nearest == index, index].argmax()]
            label = "\x00background" if class_name is None else class_name
            prototypes.append(
                Prototype(
                    prototype_id=make_id("prototype", bank, str(version), label, "learned", str(index)),
                    vector=own[index],
                    class_name=class_name,
                    granularity=_granularity(Counter(table.granularities[i] for i in followers)),
                    count=len(followers),
                    origin="background" if class_name is None else "learned",
                    exemplar_id=table.ids[int(exemplar)],
                )
            )
    return tuple(sorted(prototypes, key=lambda p: p.prototype_id))


def _granularity(counts: Counter[Granularity]) -> Granularity:
    return "whole" if 2 * counts["whole"] >= counts.total() else "part"
