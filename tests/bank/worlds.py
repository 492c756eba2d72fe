"""Small worlds that the bank's tests share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samdb.bank.table import BankSegment
from samdb.core.bank import Bank, BankCard, Prototype, PrototypeOrigin
from samdb.core.ids import make_id
from samdb.core.segment import Granularity
from samdb.core.vectors import Vector, normalise


def unit(*values: float) -> Vector:
    """A vector of these values, scaled to norm 1."""
    return normalise(np.array(values, dtype=np.float32))


def segment(
    name: str,
    vector: Vector,
    class_name: str | None,
    *,
    image: str = "a.jpg",
    granularity: Granularity = "whole",
) -> BankSegment:
    """A segment to learn from; `name` makes its id."""
    return BankSegment(make_id("test", name), vector, class_name, granularity, image)


def around(
    axis: int, n: int, class_name: str | None, *, n_images: int = 10, spread: float = 0.2, seed: int = 0
) -> list[BankSegment]:
    """`n` segments of one class scattered around an axis of a 4-d world, dealt over images."""
    rng = np.random.default_rng([seed, axis])
    rows = np.eye(4)[axis] + spread * rng.normal(size=(n, 4))
    return [
        segment(f"{class_name}/{axis}/{i}", unit(*row), class_name, image=f"{i % n_images}.jpg")
        for i, row in enumerate(rows)
    ]


def prototype(name: str, vector: Vector, class_name: str | None, *, count: int = 1) -> Prototype:
    """A whole prototype; no class means background."""
    origin: PrototypeOrigin = "background" if class_name is None else "kmeans"
    return Prototype(
        make_id("prototype", name), vector, class_name, "whole", count, origin, make_id("ex", name)
    )


def bank_of(prototypes: Sequence[Prototype], *, name: str = "default", version: int = 1) -> Bank:
    """A bank of these prototypes in which one neighbour decides and nothing is rejected."""
    ordered = tuple(sorted(prototypes, key=lambda p: p.prototype_id))
    classes = tuple(sorted({p.class_name for p in ordered if p.class_name is not None}))
    card = BankCard(
        name=name,
        version=version,
        model="vit_t",
        fingerprint="f1",
        recipe="neck",
        dim=len(ordered[0].vector),
        classes=classes,
        n_prototypes=len(ordered),
        k_neighbours=1,
        vote_temperature=0.02,
        thresholds=dict.fromkeys(classes, 0.0),
        settings={"k": 51, "where": None},
        class_counts=dict.fromkeys(classes, 3),
        metrics={"held_out_accuracy": 0.1 + 0.2},
        created_at="2025-01-01T00:00:00+00:00",
    )
    return Bank(card, ordered)
