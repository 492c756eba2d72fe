"""Writing what can be written: the bad point is named, all others are stored."""

from __future__ import annotations

import pytest

from samdb.core.points import Point
from samdb.errors import StoreAccessError
from samdb.ports import VectorStore
from samdb.stores.memory import MemoryStore
from samdb.stores.write_all import write_all
from tests.stores.worlds import SPEC, point, uid, vec

NAME = SPEC.name


def test_a_bad_point_among_many_is_named_and_the_others_are_stored(store: VectorStore) -> None:
    points = [point(n) for n in range(50)]
    points[13] = point(13, vectors={"a": vec(0, 0)})
    points[14] = point(14, {"area_px": float("inf")})
    refused = write_all(store, NAME, points)
    assert [r.point.id for r in refused] == [uid(13), uid(14)]
    assert "zero or not finite" in refused[0].reason
    assert "area_px" in refused[1].reason
    assert [p.id for p in store.scroll(NAME)] == [uid(n) for n in range(50) if n not in (13, 14)]
    assert write_all(store, NAME, []) == []


def test_a_wrong_key_refuses_no_point() -> None:
    class Locked(MemoryStore):
        def upsert(self, name: str, points: object) -> None:
            raise StoreAccessError("no")

    store = Locked()
    with pytest.raises(StoreAccessError):
        write_all(store, NAME, [Point(uid(1), {}, {})])
