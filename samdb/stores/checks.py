"""What every store checks before anything is written or asked: the engines accept NaN and zero silently."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from samdb.core.points import CollectionSpec, PayloadValue, Point, Query, Where
from samdb.core.vectors import Vector
from samdb.errors import StoreLayoutError, StoreRejectedError

_CANONICAL: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HARMLESS: Final = frozenset({str, int, bool, type(None)})


def check_points(spec: CollectionSpec, points: Iterable[Point]) -> None:
    """Raise StoreRejectedError, naming the point, unless all can be stored in the collection."""
    owners: dict[str, list[Point]] = {}
    for point in points:
        check_ids((point.id,))
        for name, vector in point.vectors.items():
            if vector.shape != (spec.vectors.get(name),):
                _check_vector(spec, f"point {point.id}", name, vector)
            owners.setdefault(name, []).append(point)
        for key, value in point.payload.items():
            if not _is_plain(value):
                _check_payload(f"point {point.id}", key, value)
    for name, having in owners.items():
        # all norms at once: a fifth of the time of one by one
        norms = np.linalg.norm(np.stack([p.vectors[name] for p in having]), axis=1)
        for i in np.flatnonzero(~(np.isfinite(norms) & (norms > 0.0))):
            _check_vector(spec, f"point {having[i].id}", name, having[i].vectors[name])


def check_payload(name: str, payload: Mapping[str, PayloadValue]) -> None:
    """Raise StoreRejectedError unless the payload is plain JSON with finite numbers."""
    for key, value in payload.items():
        _check_payload(f"the payload for {name!r}", key, value)


def check_vectors(spec: CollectionSpec, vectors: Mapping[str, Mapping[str, Vector]]) -> None:
    """Raise StoreRejectedError unless the vectors (id -> name -> vector) fit the collection."""
    check_ids(vectors)
    for point_id, named in vectors.items():
        for name, vector in named.items():
            _check_vector(spec, f"point {point_id}", name, vector)


def check_queries(spec: CollectionSpec, queries: Sequence[Query]) -> None:
    """Raise StoreRejectedError unless the collection can answer all queries."""
    for i, query in enumerate(queries):
        for vector in (*query.positives, *query.negatives):
            _check_vector(spec, f"query {i}", query.using, vector)
        check_vector_names(spec, query.with_vectors)
        check_ids(query.exclude_ids)


def check_vector_names(spec: CollectionSpec, names: Iterable[str]) -> None:
    """Raise StoreRejectedError unless the collection declares all these vectors."""
    for name in names:
        if name not in spec.vectors:
            raise StoreRejectedError(f"{_unknown(spec, name)}; choose one of them")


def check_indexed(spec: CollectionSpec, key: str) -> None:
    """Raise StoreRejectedError unless the payload key is indexed, so that its values can be counted."""
    if key not in spec.indexes:
        known = ", ".join(sorted(spec.indexes))
        raise StoreRejectedError(f"the values of {key!r} cannot be counted: {spec.name!r} indexes {known}")


def check_ids(ids: Iterable[str]) -> None:
    """Raise StoreRejectedError unless all ids are uuids in their canonical text form."""
    for point_id in ids:
        if type(point_id) is str and _CANONICAL.fullmatch(point_id):
            continue
        try:
            canonical = str(uuid.UUID(point_id))
        except (ValueError, AttributeError, TypeError) as exc:
            raise StoreRejectedError(
                f"{point_id!r} is not a point id: give a uuid, see `samdb search`"
            ) from exc
        if canonical != point_id:
            raise StoreRejectedError(f"point id {point_id!r} must be written {canonical!r}")


def check_page(start: str | None, limit: int) -> None:
    """Raise StoreRejectedError unless a page can start there and hold so many points."""
    if start is not None:
        check_ids((start,))
    if limit < 1:
        raise StoreRejectedError(f"a page of {limit} points holds nothing: ask for at least 1")


def check_delete(ids: Sequence[str], where: Where) -> None:
    """Raise StoreRejectedError when a delete names points and a filter at once: it could mean two things."""
    check_ids(ids)
    if ids and where:
        raise StoreRejectedError("delete takes ids or a filter, not both: make two calls")


def merged_spec(address: str, old: CollectionSpec, new: CollectionSpec) -> CollectionSpec:
    """An existing collection's spec with what a new one adds: vectors and indexes, nothing taken away.

    Raises StoreLayoutError when the two disagree on a dimension.
    """
    for vector, dim in new.vectors.items():
        if old.vectors.get(vector, dim) != dim:
            raise StoreLayoutError(
                f"the store at {address} holds {vector!r} vectors of {old.vectors[vector]} dimensions in "
                f"{old.name!r}, not {dim}: it was made for another model, use another --store"
            )
    indexes = {**new.indexes, **old.indexes}
    return replace(old, vectors={**old.vectors, **new.vectors}, indexes=indexes)


def is_name(name: str) -> bool:
    """Whether a collection may be called so: lower-case letters and digits, as a prefix ends in _ or -."""
    return re.fullmatch(r"[a-z][a-z0-9]*", name) is not None


def check_name(name: str) -> None:
    """Raise StoreRejectedError unless a collection may be called so."""
    if not is_name(name):
        raise StoreRejectedError(f"a collection cannot be called {name!r}: use lower-case letters and digits")


def no_collection(address: str, name: str) -> StoreLayoutError:
    """The error for a collection that does not exist."""
    return StoreLayoutError(
        f"the store at {address} has no {name!r} collection: "
        "run `samdb ingest` to fill it, or check --store / SAMDB_STORE"
    )


def _check_vector(spec: CollectionSpec, who: str, name: str, vector: Vector) -> None:
    dim = spec.vectors.get(name)
    if dim is None:
        raise StoreRejectedError(f"{who}: {_unknown(spec, name)}; choose one of them")
    if vector.shape != (dim,):
        raise StoreRejectedError(
            f"{who}: vector {name!r} must have shape ({dim},) in {spec.name!r}, got {vector.shape}; "
            "was it made by another model?"
        )
    square = float(vector @ vector)  # a search waits for it: numpy's norm takes four times as long
    if not (math.isfinite(square) and square > 0.0):
        raise StoreRejectedError(
            f"{who}: vector {name!r} is zero or not finite: such a vector cannot be compared"
        )


def _is_plain(value: PayloadValue) -> bool:
    """Whether a value is surely storable, found out fast: a bulk load asks it two dozen times a point."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)  # type: ignore[arg-type]
    return kind in _HARMLESS or (kind is list and all(map(_is_plain, value)))  # type: ignore[arg-type]


def _check_payload(who: str, key: str, value: PayloadValue) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise StoreRejectedError(
            f"{who}: payload key {key!r} is {value}: leave out what is not a finite number"
        )
    if value is None or isinstance(value, (str, bool, int, float)):
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_payload(who, f"{key}.{name}", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_payload(who, key, item)
    else:
        raise StoreRejectedError(
            f"{who}: payload key {key!r} holds a {type(value).__name__}: use plain JSON values"
        )


def _unknown(spec: CollectionSpec, name: str) -> str:
    return f"{spec.name!r} has no vector {name!r}, it has {', '.join(sorted(spec.vectors)) or 'none'}"
