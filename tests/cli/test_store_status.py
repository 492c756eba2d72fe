"""`samdb store status` of a real server and a cluster: what is told, as JSON and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from samdb.core.tuning import StoreTuning
from samdb.ports import VectorStore
from samdb.stores.layout import BANK, IMAGES, META, SEGMENTS, LayoutParams
from samdb.stores.migrate import migrate
from samdb.stores.open import open_store
from tests.cli.command import Samdb
from tests.stores.qdrant_cluster import N_NODES, QdrantCluster
from tests.stores.qdrant_server import QdrantServer
from tests.stores.worlds import clustered, point

pytestmark = pytest.mark.server
PREFIX = "told_"
#: small segments of the server get no index below 10 MB
N = 40
COLUMNS = ["collection", "points", "indexed", "segments", "shards", "replicas", "optimizer", "disk"]


def filled(address: str, tuning: StoreTuning) -> VectorStore:
    store = open_store(address, prefix=PREFIX)
    migrate(store, LayoutParams("vit_t", {"neck": 8}, tuning))
    write(store, 0)
    return store


def write(store: VectorStore, start: int) -> None:
    rows = clustered(N, 8, 2, seed=0)
    store.upsert(SEGMENTS, [point(start + n, vectors={"neck": rows[n]}) for n in range(N)])


def drop(store: VectorStore) -> None:
    for name in store.collections():
        store.drop_collection(name)
    store.close()


def test_a_server_tells_points_shards_and_what_builds_its_indexes(qdrant_server: QdrantServer) -> None:
    samdb = Samdb({"SAMDB_STORE": qdrant_server.url, "SAMDB_STORE_PREFIX": PREFIX})
    store = filled(qdrant_server.url, StoreTuning())
    rows = {row["collection"]: row for row in samdb("store", "status", "--json").records}
    assert rows.keys() == {SEGMENTS, IMAGES, BANK, META}
    segments = rows[SEGMENTS]
    assert segments["physical_name"] == f"{PREFIX}{SEGMENTS}_v1"
    assert (segments["n_points"], segments["n_vectors"]) == (N, N)
    assert (segments["indexed_share"], segments["optimizer"]) == (0.0, "done")
    assert isinstance(segments["n_segments"], int)
    assert segments["n_segments"] >= 1
    assert segments["disk_bytes"] is None  # a server does not tell
    assert (segments["n_shards"], segments["model"], segments["n_migrations_pending"]) == (1, "vit_t", 0)
    ((shard, state),) = [(r["shard"], r["state"]) for r in replicas(segments)]
    assert (shard, state) == (0, "active")
    assert rows[META]["indexed_share"] is None  # it has no vectors

    told = samdb("store", "status")
    assert told.err == ""
    assert told.out.splitlines()[:3] == [
        f"store: {qdrant_server.url}",
        "model: vit_t",
        "migrations: 3 applied, up to date",
    ]
    assert COLUMNS in told.table
    n_segments = str(segments["n_segments"])
    assert [SEGMENTS, str(N), "0%", n_segments, "1", "1 active", "done", "-"] in told.table
    drop(store)


def test_a_cluster_tells_its_copies_and_which_of_them_are_away(qdrant_cluster: QdrantCluster) -> None:
    nodes = ",".join(qdrant_cluster.urls)
    samdb = Samdb({"SAMDB_STORE": nodes, "SAMDB_STORE_PREFIX": PREFIX})
    store = filled(nodes, StoreTuning(shards=3, replicas=2))
    whole = told_of_segments(samdb)
    assert (whole["n_points"], whole["n_shards"], whole["optimizer"]) == (N, 3, "done")
    copies = replicas(whole)
    assert Counter(r["shard"] for r in copies) == {0: 2, 1: 2, 2: 2}
    assert {r["state"] for r in copies} == {"active"}
    assert len({r["node"] for r in copies}) == N_NODES
    assert "6 active" in row_of_segments(samdb("store", "status").table)
    qdrant_cluster.kill(2)
    try:
        write(store, N)  # the others note that it is away when it does not take a write
        away = [r for r in replicas(told_of_segments(samdb)) if r["state"] != "active"]
        assert 1 <= len(away) <= 3
        assert len({r["node"] for r in away}) == 1
        told = samdb("store", "status")
        assert row_of_segments(told.table)[:2] == [SEGMENTS, str(2 * N)]
        assert f"{6 - len(away)} active, {len(away)} dead" in row_of_segments(told.table)
        assert "not every copy of" in told.err
        assert "is a node away?" in told.err
    finally:
        qdrant_cluster.start_node(2)
    qdrant_cluster.wait_whole()
    assert {r["state"] for r in replicas(told_of_segments(samdb))} == {"active"}
    drop(store)


def told_of_segments(samdb: Samdb) -> Mapping[str, object]:
    (row,) = [r for r in samdb("store", "status", "--json").records if r["collection"] == SEGMENTS]
    return row


def replicas(row: Mapping[str, object]) -> list[dict[str, object]]:
    found = row["replicas"]
    assert isinstance(found, list)
    return found


def row_of_segments(table: list[list[str]]) -> list[str]:
    return next(row for row in table if row[0] == SEGMENTS)
