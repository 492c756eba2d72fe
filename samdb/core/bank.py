"""The memory bank's nouns: prototypes, the bank that holds them, and what it says of a segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samdb.core.segment import Granularity
from samdb.core.vectors import Vector, check_embedding

PrototypeOrigin: TypeAlias = Literal["kmeans", "learned", "background"]
RejectReason: TypeAlias = Literal["background", "low_score", "no_neighbours"]


@dataclass(frozen=True, slots=True)
class Prototype:
    """A unit-norm centre of one class; `class_name` None marks background.

    `count` is how many segments it stands for, `exemplar_id` the real segment closest to it.
    """

    prototype_id: str
    vector: Vector
    class_name: str | None
    granularity: Granularity
    count: int
    origin: PrototypeOrigin
    exemplar_id: str | None = None

    def __post_init__(self) -> None:
        check_embedding(self.prototype_id, self.vector)


@dataclass(frozen=True, slots=True)
class BankCard:
    """Everything about one version of a bank but its prototypes.

    `thresholds` maps a class to the score below which a segment is rejected, fitted on held-out segments;
    `metrics` says how that went. `model` and `recipe` name the vector space: a bank answers only for them.
    """

    name: str
    version: int
    model: str
    recipe: str
    classes: tuple[str, ...]
    n_prototypes: int
    k_neighbours: int
    vote_temperature: float
    thresholds: Mapping[str, float]
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    class_counts: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank in memory: its card and its prototypes."""

    card: BankCard
    prototypes: tuple[Prototype, ...]

    @property
    def matrix(self) -> NDArray[np.float32]:
        """Prototype vectors (P, D), in order."""
        return np.stack([p.vector for p in self.prototypes])


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a bank says of one segment.

    `class_name` None means rejected, `reason` says why. `score` is the winning class's share of the
    similarity-weighted vote times its best cosine; `runner_up` the next class, whatever its score.
    """

    class_name: str | None
    score: float
    runner_up: str | None = None
    reason: RejectReason | None = None
    nearest_prototype_id: str | None = None
