"""Small worlds for the stores' tests: ids, points and specs that can be checked by hand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import numpy as np

from samdb.core.points import CollectionSpec, Payload, Point
from samdb.core.vectors import Vector

# two named vectors, as many dimensions as a person can follow
SPEC = CollectionSpec(
    "things",
    {"a": 2, "b": 3},
    {
        "class_name": "keyword",
        "flags": "keyword",
        "image_id": "keyword",
        "area_px": "integer",
        "occluded": "bool",
    },
)


def uid(n: int) -> str:
    """The n-th id; ids sort as their numbers."""
    return str(uuid.UUID(int=n))


def vec(*values: float) -> Vector:
    """A float32 vector."""
    return np.array(values, dtype=np.float32)


def degrees(angle: float) -> Vector:
    """The unit vector at an angle: the cosine of two of them is that of the difference."""
    return vec(np.cos(np.radians(angle)), np.sin(np.radians(angle)))


def point(n: int, payload: Payload | None = None, vectors: Mapping[str, Vector] | None = None) -> Point:
    """The n-th point, at n degrees unless told otherwise."""
    return Point(uid(n), {"a": degrees(n)} if vectors is None else vectors, payload or {})


def clustered(n: int, dim: int, n_clusters: int, seed: int) -> Vector:
    """Unit rows (n, dim) around random centres, as embeddings of a few classes are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, dim))
    rows = centres[rng.integers(n_clusters, size=n)] + 0.5 * rng.normal(size=(n, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
