"""Copying a store: everything arrives, a killed copy goes on, and a wrong place is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from samdb.core.points import Payload, Point, Query
from samdb.errors import StoreError, StoreLayoutError
from samdb.ports import VectorStore
from samdb.stores.copy import copy_store
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import BANK, IMAGES, META, SEGMENTS, LayoutParams
from samdb.stores.memory import MemoryStore
from samdb.stores.migrate import check_layout, migrate, stored_params
from tests.stores.worlds import clustered

PARAMS = LayoutParams("vit_t", {"neck": 8, "token": 4})
N = 520


def filled(store: VectorStore, n: int = N) -> None:
    """Segments of two vectors, of which every fifth lacks the second; an image and a bank record."""
    migrate(store, PARAMS)
    necks, tokens = clustered(n, 8, 5, seed=0), clustered(n, 4, 5, seed=1)
    points = []
    for i in range(n):
        vectors = {"neck": necks[i]} if i % 5 == 0 else {"neck": necks[i], "token": tokens[i]}
        box = [0.5, 1.25, 3, i + 0.1]
        payload: Payload = {"dataset": "d", "class_name": f"c{i % 3}", "area_px": i, "box_xyxy": box}
        points.append(Point(segment_id(i), vectors, payload))
    store.upsert(SEGMENTS, points)
    image = Point(
        segment_id(n), {"global": clustered(1, 256, 1, seed=2)[0]}, {"dataset": "d", "status": "done"}
    )
    store.upsert(IMAGES, [image])
    store.upsert(BANK, [Point(segment_id(n + 1), {"neck": necks[0]}, {"bank": "default", "version": 1})])
    store.upsert(META, [Point(segment_id(n + 2), {}, {"kind": "bank", "name": "default", "text": "ä"})])


def segment_id(i: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(i)))


def check_same(one: VectorStore, two: VectorStore) -> None:
    for name, vectors in ((SEGMENTS, ("neck", "token")), (IMAGES, ("global",)), (BANK, ("neck", "token"))):
        theirs, ours = list(one.scroll(name, (), vectors)), list(two.scroll(name, (), vectors))
        assert [p.id for p in ours] == [p.id for p in theirs]
        for a, b in zip(theirs, ours, strict=True):
            assert dict(b.payload) == dict(a.payload)
            assert b.vectors.keys() == a.vectors.keys()
            assert all(np.dot(a.vectors[v], b.vectors[v]) >= 1 - 1e-5 for v in a.vectors)
    query = Query("neck", (clustered(1, 8, 5, seed=3)[0],), exact=True)
    hits = [[h.id for h in s.query(SEGMENTS, [query])[0]] for s in (one, two)]
    assert hits[0] == hits[1]


def test_a_copy_has_every_collection_in_every_direction(bare_store: VectorStore, tmp_path: Path) -> None:
    source, back = EdgeStore(tmp_path / "from"), EdgeStore(tmp_path / "back")
    filled(source)
    told: list[tuple[str, int, int]] = []
    copied = copy_store(source, bare_store, lambda *at: told.append(at))
    assert {c.name: c.n_points for c in copied} == {SEGMENTS: N, BANK: 1, IMAGES: 1, META: 1}
    assert copied[0].n_compared > 100
    assert ("copy segments", N, N) in told
    check_layout(bare_store, "vit_t")
    check_same(source, bare_store)
    copy_store(bare_store, back)
    check_same(source, back)
    assert stored_params(back) == stored_params(source)
    # once more changes nothing
    assert copy_store(source, bare_store)[0].n_points == N
    check_same(source, bare_store)
    source.close()
    back.close()


class Dying(MemoryStore):
    """Writes so many batches of segments, then fails as a cut connection does."""

    left = 1 << 30

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        if name == SEGMENTS:
            self.left -= 1
            if self.left < 0:
                raise StoreError("the line is cut")
        super().upsert(name, points)


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_copy_that_was_stopped_goes_on_and_nothing_is_copied_twice(batches: int) -> None:
    source, target = MemoryStore(), Dying()
    filled(source)
    target.left = batches
    with pytest.raises(StoreError, match="the line is cut"):
        copy_store(source, target)
    with pytest.raises(StoreLayoutError, match=r"half a copy.*samdb store copy memory: memory:"):
        check_layout(target)
    target.left = 3 - batches + (1 if batches else 0)  # the point at the cursor comes once more
    copied = copy_store(source, target)
    assert copied[0].n_resumed == batches * 256
    check_layout(target, "vit_t")
    check_same(source, target)


def test_half_a_copy_of_another_store_is_not_mixed_with_this_one(tmp_path: Path) -> None:
    source, other, target = MemoryStore(), EdgeStore(tmp_path / "other"), Dying()
    filled(source)
    filled(other)
    target.left = 1
    with pytest.raises(StoreError):
        copy_store(other, target)
    target.left = 100
    with pytest.raises(StoreLayoutError, match=rf"half a copy of {other.address}"):
        copy_store(source, target)
    other.close()


def test_a_store_of_another_model_and_an_empty_one_are_refused() -> None:
    source, target = MemoryStore(), MemoryStore()
    with pytest.raises(StoreLayoutError, match="nothing to copy"):
        copy_store(source, target)
    filled(source)
    migrate(target, LayoutParams("vit_b", {"neck": 8}))
    with pytest.raises(StoreLayoutError, match="vit_b"):
        copy_store(source, target)


class Spoiling(MemoryStore):
    """Writes points otherwise than they came."""

    spoil: Callable[[Point], Point | None] = staticmethod(lambda p: p)

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        kept = [self.spoil(p) for p in points] if name == SEGMENTS else list(points)
        super().upsert(name, [p for p in kept if p is not None])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda p: None if p.id < "8" else p, "points at"),
        (lambda p: Point(p.id, {"neck": p.vectors["neck"] + 0.1}, p.payload), "other vectors"),
        (lambda p: Point(p.id, {**p.vectors, "neck": p.vectors["neck"][::-1].copy()}, p.payload), "cosine"),
        (lambda p: Point(p.id, p.vectors, {**p.payload, "area_px": -1}), "another payload"),
    ],
)
def test_what_did_not_arrive_as_it_was_is_found(spoil: Callable[[Point], Point | None], said: str) -> None:
    source, target = MemoryStore(), Spoiling()
    filled(source)
    target.spoil = spoil
    with pytest.raises(StoreError, match=said):
        copy_store(source, target)
    with pytest.raises(StoreLayoutError, match="half a copy"):
        check_layout(target)


def test_a_refused_point_is_named() -> None:
    class Refusing(MemoryStore):
        def upsert(self, name: str, points: Sequence[Point]) -> None:
            super().upsert(name, [Point(p.id, p.vectors, {**p.payload, **poison(p)}) for p in points])

    def poison(p: Point) -> dict[str, float]:
        return {"area_px": float("nan")} if p.id == segment_id(17) else {}

    source, target = MemoryStore(), Refusing()
    filled(source)
    with pytest.raises(StoreError, match=rf"refused the point {segment_id(17)} of 'segments'.*finite"):
        copy_store(source, target)
