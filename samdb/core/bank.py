"""The memory bank's nouns: prototypes, the bank that holds them, and what it says of a segment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samdb.core.head import Head
from samdb.core.segment import Granularity
from samdb.core.vectors import Vector, check_embedding

PrototypeOrigin: TypeAlias = Literal["kmeans", "learned", "background"]
RejectReason: TypeAlias = Literal["background", "low_score", "no_neighbours"]
Outcome: TypeAlias = Literal["class", "ambiguous", "unknown"]
Setting: TypeAlias = str | int | float | bool | None

_BANK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


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
        if self.count < 1:
            raise ValueError(f"prototype {self.prototype_id} stands for {self.count} segments: at least 1")
        if (self.class_name is None) != (self.origin == "background"):
            raise ValueError(
                f"prototype {self.prototype_id} has class {self.class_name!r} and origin {self.origin!r}: "
                "background, and only background, has no class"
            )


@dataclass(frozen=True, slots=True)
class BankCard:
    """Everything about one version of a bank but its prototypes.

    `model`, `fingerprint` and `recipe` name the vector space and `dim` its dimension: a bank answers only
    for them. `k_neighbours` prototypes vote, each with the weight exp((cosine - 1) / `vote_temperature`).
    `thresholds` maps a class to the score below which a segment is rejected, fitted on held-out segments
    like the two before; `metrics` says how that went. `class_counts` is how many segments each class was
    learned from; `settings` what the bank was built with. `created_at` is UTC, ISO 8601. A bank with a `head`
    (its fingerprint) compares projected vectors, which that head makes of embeddings of the recipes `inputs`.
    `conformal` maps a class to the score from which it belongs to the set of possible classes, `sure` to the
    score from which its answers can be built upon; a bank without them goes by its thresholds alone.
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
    settings: Mapping[str, Setting] = field(default_factory=dict)
    class_counts: Mapping[str, int] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    created_at: str = ""
    fingerprint: str = ""
    dim: int = 0
    head: str = ""
    inputs: tuple[str, ...] = ()
    conformal: Mapping[str, float] = field(default_factory=dict)
    sure: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_bank_name(self.name)
        if bool(self.head) != bool(self.inputs):
            raise ValueError(f"bank {self.label}: a head and the recipes it reads come together")
        if self.version < 1 or self.k_neighbours < 1 or self.n_prototypes < 1 or self.dim < 0:
            raise ValueError(f"bank {self.label}: version, k_neighbours and n_prototypes must be at least 1")
        if not (math.isfinite(self.vote_temperature) and self.vote_temperature > 0):
            raise ValueError(f"bank {self.label}: vote_temperature must be positive")
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError(f"bank {self.label}: classes must be named, each once, got {self.classes!r}")

    @property
    def label(self) -> str:
        """Name and version as they are shown and typed: `default@3`."""
        return f"{self.name}@{self.version}"

    @property
    def embeddings(self) -> tuple[str, ...]:
        """The recipes that SAM must embed a segment with, so that this bank can answer."""
        return self.inputs or (self.recipe,)


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank in memory: its card, its prototypes, sorted by id, and its head, if it was made with one."""

    card: BankCard
    prototypes: tuple[Prototype, ...]
    head: Head | None = None

    def __post_init__(self) -> None:
        if (self.head is None) == bool(self.card.head):
            raise ValueError(f"bank {self.card.label} and its card disagree whether it has a head")
        if len(self.prototypes) != self.card.n_prototypes:
            raise ValueError(
                f"bank {self.card.label} holds {len(self.prototypes)} prototypes, "
                f"its card says {self.card.n_prototypes}"
            )

    @property
    def matrix(self) -> NDArray[np.float32]:
        """Prototype vectors (P, D), in order."""
        return np.stack([p.vector for p in self.prototypes])


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a bank says of one segment.

    `score` in [0, 1] is the winner's share of the similarity-weighted vote times its best cosine (a
    negative cosine counts as 0): 1 means that all neighbours agree and one of them is the same vector.
    `class_name` None means rejected, and `reason` says why: `background` won the vote, or the winner's
    `low_score` is below its threshold, or there were `no_neighbours`. `runner_up` is the next class of the
    vote, whatever its score; of a rejected segment it is the class that would have been the answer.
    `classes` are the classes that cannot be told apart here, the answer first (empty when rejected), and
    `scores` every class that had a vote with its score, best first, background as None.
    """

    class_name: str | None
    score: float
    runner_up: str | None = None
    reason: RejectReason | None = None
    nearest_prototype_id: str | None = None
    classes: tuple[str, ...] = ()
    scores: tuple[tuple[str | None, float], ...] = ()

    def __post_init__(self) -> None:
        if (self.class_name is None) != (self.reason is not None):
            raise ValueError("a prediction has a class, or a reason why it has none")
        if self.classes and self.classes[0] != self.class_name:
            raise ValueError("the possible classes of a prediction begin with its class")

    @property
    def outcome(self) -> Outcome:
        """`class`: one answer; `ambiguous`: one of `classes`, the likeliest being the answer; `unknown`."""
        if self.class_name is None:
            return "unknown"
        return "ambiguous" if len(self.classes) > 1 else "class"

    @property
    def best_guess(self) -> str | None:
        """The class, rejected or not: what closed-set accuracy is measured on."""
        return self.class_name if self.class_name is not None else self.runner_up


def check_bank_name(name: str) -> None:
    """Raise ValueError unless `name` can be typed as `name@version` and is safe as a file name."""
    if not _BANK_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot name a bank: use letters, digits, '.', '_' and '-', "
            "and begin with a letter or digit"
        )
