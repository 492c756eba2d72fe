"""How hits are ordered and thinned: one rule for all stores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from samdb.core.points import Hit, Payload, PayloadValue, Query, Scalar
from samdb.core.vectors import Vector, normalise


def best_cosines(rows: NDArray[np.float32], query: Query) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines (N,) of unit rows (N, D) to the closest positive, and the key (N,) that orders them.

    The key is the score where no negative is closer, else -2 minus the cosine to the closest negative: such
    a point comes after all others, the worse the closer it is. Source: Qdrant's `best_score` strategy.
    """
    positive = (rows @ normalise(np.stack(query.positives)).T).max(axis=1)
    score = np.clip(positive, -1.0, 1.0)
    if not query.negatives:
        return score, score
    negative = (rows @ normalise(np.stack(query.negatives)).T).max(axis=1)
    return score, np.where(positive > negative, score, -2.0 - negative)


def is_plain(query: Query) -> bool:
    """Whether the query is plain nearest-neighbour search: one example and nothing to avoid."""
    return len(query.positives) == 1 and not query.negatives


def rank(hits: Sequence[Hit], query: Query) -> list[Hit]:
    """The hits with their scores made exact from their vectors where needed, in the order of all stores.

    A hit of anything but a plain query must carry the vector `query.using`; it is dropped from the
    answer again unless it was asked for. Equal scores are ordered by id.
    """
    if is_plain(query) or not hits:
        # int8 may overshoot by a little
        clipped = [h if abs(h.score) <= 1.0 else replace(h, score=math.copysign(1.0, h.score)) for h in hits]
        return sorted(clipped, key=lambda h: (-h.score, h.id))
    scores, keys = best_cosines(normalise(np.stack([h.vectors[query.using] for h in hits])), query)
    scored = [
        replace(hit, score=float(score), vectors=_asked(hit, query))
        for hit, score in zip(hits, scores, strict=True)
    ]
    order = sorted(range(len(hits)), key=lambda i: (-keys[i], hits[i].id))
    return [scored[i] for i in order]


def thin(hits: Iterable[Hit], query: Query) -> list[Hit]:
    """At most `per_group` hits per value of `group_by`, in order, up to offset + limit of them.

    A hit without the key belongs to no group and is left out, as in Qdrant's own groups.
    """
    key = query.group_by
    assert key is not None
    seen: Counter[Scalar] = Counter()
    kept: list[Hit] = []
    for hit in hits:
        group = group_of(hit.payload, key)
        if group is None or seen[group] >= query.per_group:
            continue
        seen[group] += 1
        kept.append(hit)
        if len(kept) == query.offset + query.limit:
            break
    return kept


def group_of(payload: Payload, key: str) -> Scalar | None:
    """The group that a payload belongs to: the value of `key`, of a list its first element."""
    value: PayloadValue = payload.get(key)
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    return value if isinstance(value, (str, int, float, bool)) else None


def _asked(hit: Hit, query: Query) -> dict[str, Vector]:
    return {name: vector for name, vector in hit.vectors.items() if name in query.with_vectors}
