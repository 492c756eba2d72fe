"""Backup and restore: the same hits afterwards; what is damaged is named and nothing is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from samdb.core.points import CollectionSpec, CollectionStatus
from samdb.core.tuning import StoreTuning
from samdb.errors import ConfigError, StoreError, StoreInUseError
from samdb.stores.backup import backup_store, restore_store
from samdb.stores.backup_files import Manifest, copy_hashed, read_manifest
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import BANK, IMAGES, META, SEGMENTS, LayoutParams
from samdb.stores.memory import MemoryStore
from samdb.stores.migrate import check_layout, migrate
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.stores.qdrant_cluster import QdrantCluster
from tests.stores.qdrant_server import QdrantServer
from tests.stores.test_copy import PARAMS, check_same, filled, segment_id

N = 300


@pytest.fixture
def source(tmp_path: Path) -> Iterator[EdgeStore]:
    store = EdgeStore(tmp_path / "store")
    filled(store, N)
    yield store
    store.close()


def saved_counts(manifest: Manifest) -> dict[str, int]:
    return {name: saved.n_points for name, saved in manifest.collections.items()}


def tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """What tells whether any file was written or replaced."""
    files = {f.relative_to(folder).as_posix(): f.stat() for f in folder.rglob("*") if f.name != "samdb.lock"}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in files.items()}


def test_an_embedded_store_comes_back_as_it_was(source: EdgeStore, tmp_path: Path) -> None:
    source.optimize(SEGMENTS)
    told: list[tuple[str, int, int]] = []
    saved = backup_store(source, tmp_path / "backup", on_progress=lambda *at: told.append(at))
    assert saved_counts(saved) == {SEGMENTS: N, IMAGES: 1, BANK: 1, META: source.count(META)}
    assert (saved.kind, saved.model) == ("embedded", "vit_t")
    assert ("save files", len(saved.files), len(saved.files)) in told
    assert read_manifest(tmp_path / "backup") == saved
    # the store goes on, and the backup does not
    source.delete(SEGMENTS, ids=[segment_id(0)])
    restore_store(lambda: EdgeStore(tmp_path / "back"), tmp_path / "backup")
    back = EdgeStore(tmp_path / "back")
    check_layout(back, "vit_t")
    assert back.count(SEGMENTS) == N
    source.upsert(SEGMENTS, back.get(SEGMENTS, [segment_id(0)], ("neck", "token")))
    check_same(source, back)
    assert back.status(SEGMENTS).n_indexed_vectors == source.status(SEGMENTS).n_indexed_vectors
    back.close()


def test_a_backup_takes_no_more_space_than_the_store(source: EdgeStore, tmp_path: Path) -> None:
    backup_store(source, tmp_path / "backup")
    sizes = [sum(f.stat().st_blocks for f in (tmp_path / p).rglob("*")) for p in ("store", "backup")]
    assert sizes[1] <= sizes[0] * 1.05 + 64


def test_holes_stay_holes(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(3 << 20)
        file.write(b"end")
        file.truncate(8 << 20)
    copied = copy_hashed(tmp_path / "sparse", tmp_path / "copy")
    assert copied.n_bytes == 8 << 20
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "sparse").read_bytes()
    assert (tmp_path / "copy").stat().st_blocks * 512 <= 2 << 20


def test_a_damaged_backup_is_named_and_nothing_is_touched(source: EdgeStore, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    saved = backup_store(source, backup)
    source.close()
    before = tree(tmp_path / "store")
    victim = backup / next(f.path for f in saved.files if 10 < f.n_bytes < 1 << 20)
    whole = victim.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (bytes(flipped), whole[:5], None):
        victim.unlink()
        if damaged is not None:
            victim.write_bytes(damaged)
        with pytest.raises(StoreError, match=rf"{victim}.*nothing was changed"):
            restore_store(lambda: EdgeStore(tmp_path / "store"), backup, force=True)
        assert tree(tmp_path / "store") == before
        assert {p.name for p in tmp_path.iterdir()} == {"store", "backup"}
        victim.write_bytes(whole)
    os.truncate(backup / "manifest.json", 100)
    with pytest.raises(StoreError, match=r"manifest\.json.*nothing was changed"):
        restore_store(lambda: EdgeStore(tmp_path / "store"), backup, force=True)
    assert tree(tmp_path / "store") == before


def test_nothing_is_overwritten_unless_it_is_forced(source: EdgeStore, tmp_path: Path) -> None:
    backup, taken = tmp_path / "backup", tmp_path / "photos"
    backup_store(source, backup)
    with pytest.raises(StoreError, match=r"exists.*--force"):
        backup_store(source, backup)
    taken.mkdir()
    with pytest.raises(StoreError, match="is no backup"):
        backup_store(source, taken, force=True)
    with pytest.raises(ConfigError, match="in the store itself"):
        backup_store(source, tmp_path / "store" / "backup")
    source.delete(SEGMENTS, ids=[segment_id(1)])
    saved = backup_store(source, backup, force=True)
    assert saved.collections[SEGMENTS].n_points == N - 1
    with pytest.raises(StoreInUseError):
        restore_store(lambda: EdgeStore(tmp_path / "store"), backup, force=True)
    source.delete(SEGMENTS, ids=[segment_id(2)])
    source.close()
    with pytest.raises(StoreError, match=r"not empty.*--force"):
        restore_store(lambda: EdgeStore(tmp_path / "store"), backup)
    restore_store(lambda: EdgeStore(tmp_path / "store"), backup, force=True)
    again = EdgeStore(tmp_path / "store")
    assert again.count(SEGMENTS) == N - 1
    again.close()
    assert {p.name for p in tmp_path.iterdir()} == {"store", "backup", "photos"}


def test_what_cannot_be_saved_or_restored_is_said(source: EdgeStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no files"):
        backup_store(MemoryStore(), tmp_path / "backup")
    empty = EdgeStore(tmp_path / "empty")
    with pytest.raises(StoreError, match="nothing to back up"):
        backup_store(empty, tmp_path / "backup")
    with pytest.raises(StoreError, match=r"is no backup.*manifest\.json"):
        restore_store(lambda: EdgeStore(tmp_path / "back"), tmp_path / "backup")
    saved = backup_store(source, tmp_path / "backup")
    Manifest("server", saved.samdb, saved.model, saved.created, saved.collections, saved.files).write(
        tmp_path / "backup"
    )
    with pytest.raises(ConfigError, match=r"backup of a server.*samdb store copy"):
        restore_store(lambda: EdgeStore(tmp_path / "back"), tmp_path / "backup")
    assert not (tmp_path / "back").exists()


@pytest.mark.server
def test_a_server_comes_back_as_it_was(qdrant_server: QdrantServer, tmp_path: Path) -> None:
    def connect(prefix: str) -> ServerStore:
        return ServerStore(ServerAddress(qdrant_server.url), prefix)

    store = connect("saved_")
    filled(store, N)
    saved = backup_store(store, tmp_path / "backup")
    assert saved_counts(saved)[SEGMENTS] == N
    snapshots = tmp_path / "backup" / SEGMENTS
    assert [f.name for f in snapshots.iterdir()] == ["shard-0.snapshot"]
    # no snapshot is left on the server
    assert not list((qdrant_server.folder / "snapshots").rglob("*.snapshot"))
    back = restored(connect, "back_", tmp_path / "backup", force=False)
    check_layout(back, "vit_t")
    check_same(store, back)
    # one that holds other things becomes the backup only when forced, and not when a file is damaged
    back.delete(SEGMENTS, ids=[segment_id(i) for i in range(50)])
    with pytest.raises(StoreError, match="not empty"):
        restored(connect, "back_", tmp_path / "backup", force=False)
    whole = (snapshots / "shard-0.snapshot").read_bytes()
    (snapshots / "shard-0.snapshot").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreError, match=r"segments/shard-0\.snapshot is damaged"):
        restored(connect, "back_", tmp_path / "backup", force=True)
    assert back.count(SEGMENTS) == N - 50
    (snapshots / "shard-0.snapshot").write_bytes(whole)
    forced = restored(connect, "back_", tmp_path / "backup", force=True)
    assert forced.status(SEGMENTS).physical_name == "back_segments_v2"
    check_same(store, forced)
    for one in (store, back, forced):
        for name in one.collections():
            one.drop_collection(name)
        one.close()


def restored(connect: object, prefix: str, backup: Path, *, force: bool) -> ServerStore:
    assert callable(connect)
    restore_store(lambda: connect(prefix), backup, force=force)
    found = connect(prefix)
    assert isinstance(found, ServerStore)
    return found


@pytest.mark.server
def test_a_cluster_is_saved_with_a_node_away_and_comes_back_with_all_shards_and_copies(
    qdrant_cluster: QdrantCluster, tmp_path: Path
) -> None:
    first, *others = qdrant_cluster.urls

    def connect(prefix: str) -> ServerStore:
        return ServerStore(ServerAddress(first, others=tuple(others)), prefix)

    store = connect("csaved_")
    migrate(store, LayoutParams(PARAMS.model, PARAMS.vectors, StoreTuning(shards=3, replicas=2)))
    filled(store, N)
    assert spread(store.status(SEGMENTS)) == (3, 6)
    # without copies a shard is gone with its node: refused, and nothing is written
    alone = connect("calone_")
    alone.create_collection(CollectionSpec("things", {"a": 2}, {}, tuning=StoreTuning(shards=3)))
    qdrant_cluster.kill(2)
    try:
        with pytest.raises(
            StoreError, match=r"has shard \d of 'calone_things_v1'.*bring back those that are away"
        ):
            backup_store(alone, tmp_path / "part")
        assert list(tmp_path.iterdir()) == []
        saved = backup_store(store, tmp_path / "backup")
    finally:
        qdrant_cluster.start_node(2)
    qdrant_cluster.wait_whole()
    assert len([f for f in saved.files if f.path.startswith(SEGMENTS)]) == 3
    back = restored(connect, "cback_", tmp_path / "backup", force=False)
    assert spread(back.status(SEGMENTS)) == (3, 6)
    check_same(store, back)
    for one in (store, back, alone):
        for name in one.collections():
            one.drop_collection(name)
        one.close()


def spread(status: CollectionStatus) -> tuple[int, int]:
    active = [r for r in status.replicas if r.state == "Active"]
    return status.n_shards, len(active)
