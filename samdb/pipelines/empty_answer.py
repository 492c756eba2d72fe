"""Why a search found nothing: which filter no stored segment passes, or which recipe none has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from samdb.core.points import Condition, Query, Where
from samdb.core.vectors import Vector
from samdb.errors import StoreRejectedError
from samdb.ports import VectorStore
from samdb.stores.layout import SEGMENTS

# values named in a hint, and segments looked at to learn which keys there are
_MANY, _SOME = 12, 200
#: payload keys that are nothing to filter on
_UNSEARCHABLE = frozenset({"mask_counts", "mask_size_hw", "box_xyxy", "label_box_xyxy"})


def explain_nothing(store: VectorStore, recipe: str, vector: Vector, where: Where) -> list[str]:
    """Why no stored segment answers a search with this example's vector (D,) and filter, a line each."""
    if not store.query(SEGMENTS, [Query(recipe, (vector,), limit=1)])[0]:
        return [
            f"no other stored segment has a {recipe!r} embedding: search with another --recipe, "
            f"or ingest with --recipes {recipe}"
        ]
    alone = [c for c in where if store.count(SEGMENTS, (c,)) == 0]
    if alone:
        return [_hint(store, condition) for condition in alone]
    if len(where) > 1 and store.count(SEGMENTS, where) == 0:
        return ["each filter alone matches segments, but none matches all of them: loosen --where"]
    return []


def _hint(store: VectorStore, condition: Condition) -> str:
    shown = f"{condition.key}{condition.op}{','.join(str(v) for v in condition.values)}"
    values = _values(store, condition)
    if values:
        return f"{shown} matches nothing: {condition.key} is {values}"
    keys = set(_keys(store))
    if condition.key in keys:
        return f"{shown} matches nothing"
    return f"{shown} matches nothing: keys to filter by are {', '.join(sorted(keys - _UNSEARCHABLE))}"


def _keys(store: VectorStore) -> Iterator[str]:
    for point in islice(store.scroll(SEGMENTS), _SOME):
        yield from point.payload


def _values(store: VectorStore, condition: Condition) -> str:
    """The most frequent values of the key, where the store counts them and they are words."""
    if condition.op not in ("=", "!="):
        return ""
    try:
        counts = store.facet(SEGMENTS, condition.key)
    except StoreRejectedError:  # not indexed: its values cannot be counted
        return ""
    named = [f"{value} ({n:,})" for value, n in islice(counts.items(), _MANY)]
    return ", ".join(named) + (", ..." if len(counts) > _MANY else "")
