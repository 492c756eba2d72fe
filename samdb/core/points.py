"""What a vector store holds and answers: points, filters, queries, hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from samdb.core.tuning import StoreTuning
from samdb.core.vectors import Vector

Scalar: TypeAlias = str | int | float | bool
PayloadValue: TypeAlias = Scalar | Sequence["PayloadValue"] | Mapping[str, "PayloadValue"] | None
Payload: TypeAlias = Mapping[str, PayloadValue]
IndexKind: TypeAlias = Literal["keyword", "integer", "float", "bool"]
Operator: TypeAlias = Literal["=", "!=", ">", ">=", "<", "<="]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a payload key.

    `=` holds when the key's value (or one element of its list) is any of `values`; `!=` when it is none of
    them (a missing key satisfies it); the comparisons take exactly one number.
    """

    key: str
    op: Operator
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"the condition on {self.key!r} has no value")
        if self.op not in ("=", "!=") and not (len(self.values) == 1 and _is_number(self.values[0])):
            raise ValueError(f"{self.key}{self.op} needs one number, got {self.values!r}")


def _is_number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


#: conditions that must all hold
Where: TypeAlias = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A stored point: an id (uuid text), named float32 vectors and a JSON payload."""

    id: str
    vectors: Mapping[str, Vector]
    payload: Payload


@dataclass(frozen=True, slots=True)
class Query:
    """A nearest-neighbour question on one named vector.

    One positive and no negative is plain cosine kNN. More examples: a point scores by its best cosine to a
    positive, and falls behind when a negative is closer (Qdrant's "best score" recommendation). Examples
    are vectors (D,); `exclude_ids` leaves out points, such as the examples themselves. `per_group` keeps
    at most so many hits per value of the payload key `group_by`. Hits are sorted by score, best first.
    `exact` scans instead of using the index.
    """

    using: str
    positives: tuple[Vector, ...]
    negatives: tuple[Vector, ...] = ()
    where: Where = ()
    exclude_ids: frozenset[str] = frozenset()
    limit: int = 10
    offset: int = 0
    group_by: str | None = None
    per_group: int = 1
    with_vectors: tuple[str, ...] = ()
    exact: bool = False

    def __post_init__(self) -> None:
        if not self.positives:
            raise ValueError("a query needs at least one positive example")
        if self.limit < 1 or self.offset < 0 or self.per_group < 1:
            raise ValueError("limit and per_group must be at least 1, offset at least 0")


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: the point's id, its score, its payload and the vectors asked for.

    The score is the cosine to the closest positive example, in [-1, 1], larger is better.
    """

    id: str
    score: float
    payload: Payload
    vectors: Mapping[str, Vector] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """How a collection is laid out: its named vectors (name -> dimension), its payload indexes, its tuning.

    One that is not worth quantizing (`quantized` False) is not, whatever the tuning says.
    """

    name: str
    vectors: Mapping[str, int]
    indexes: Mapping[str, IndexKind]
    quantized: bool = True
    tuning: StoreTuning = field(default_factory=StoreTuning)


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of one shard; `state` is the server's word, `Active` when it answers searches."""

    shard_id: int
    peer_id: int
    state: str


@dataclass(frozen=True, slots=True)
class CollectionStatus:
    """What a store tells of one collection; None is what it cannot tell.

    `n_vectors` are all named vectors of all points, `n_segments` the engine's own pieces of the collection,
    `replicas` the copies of its shards on a server, and `optimizer` what builds its indexes is doing.
    """

    name: str
    physical_name: str
    n_points: int
    n_indexed_vectors: int
    disk_bytes: int | None
    n_vectors: int | None = None
    n_segments: int | None = None
    replicas: tuple[Replica, ...] = ()
    optimizer: str | None = None

    @property
    def n_shards(self) -> int:
        """How many shards there are, however many copies of each; 1 where a store knows none."""
        return len({r.shard_id for r in self.replicas}) or 1

    @property
    def indexed_share(self) -> float | None:
        """How much of the vectors has an index, in [0, 1]; None without vectors."""
        # an engine counts the deleted ones too until it has cleaned up
        return min(1.0, self.n_indexed_vectors / self.n_vectors) if self.n_vectors else None
