"""Writing many points of which some may be refused: all the others are written, and each refusal is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from samdb.core.points import Point
from samdb.errors import StoreAccessError, StoreRejectedError
from samdb.ports import VectorStore


@dataclass(frozen=True, slots=True)
class RefusedPoint:
    """A point that the store did not take, and why."""

    point: Point
    reason: str


def write_all(store: VectorStore, name: str, points: Sequence[Point]) -> list[RefusedPoint]:
    """Write every point that the store takes; gives those that it refuses.

    A refused batch is halved until the bad point stands alone: n points with one bad among them take about
    2 log2(n) calls. Raises StoreAccessError on a wrong key, other StoreErrors as they come.
    """
    if not points:
        return []
    try:
        store.upsert(name, points)
    except StoreAccessError:
        raise
    except StoreRejectedError as exc:
        if len(points) == 1:
            return [RefusedPoint(points[0], str(exc))]
        half = len(points) // 2
        return write_all(store, name, points[:half]) + write_all(store, name, points[half:])
    return []
