"""Workers on Ray that write to a real Qdrant server or cluster, and what can happen to either."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec, Condition, Point, Query
from samdb.pipelines.claims import Claims
from samdb.pipelines.ingest import IngestProgress
from samdb.stores.layout import META, SEGMENTS, LayoutParams, bank_spec, images_spec, meta_spec, segments_spec
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.ingest_worlds import (
    DIM,
    RECIPES,
    RectangleSegmenter,
    assert_ledger_agrees,
    assert_same_points,
    contents,
    new_store,
    run_ingest,
    write_world,
)
from tests.stores.fault_proxy import FaultProxy
from tests.stores.qdrant_cluster import QdrantCluster
from tests.stores.qdrant_server import QdrantServer
from tests.workers.ray_worlds import FOUND, RayWorld

pytestmark = pytest.mark.server

N_IMAGES = 40
LAYOUT = LayoutParams("vit_t", dict.fromkeys(RECIPES, DIM))


def connect(url: str, prefix: str, grpc: bool = True) -> ServerStore:
    """A store on a server."""
    return ServerStore(ServerAddress(url, prefer_grpc=grpc, timeout_s=20), prefix)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Images."""
    return write_world(tmp_path / "world", N_IMAGES)


@pytest.fixture
def wanted(world: Path) -> Mapping[str, Point]:
    """What a plain ingest of them stores."""
    alone = new_store()
    run_ingest(world, alone, RectangleSegmenter(FOUND), prompts="both")
    return contents(alone)


@pytest.fixture
def store(qdrant_server: QdrantServer) -> Iterator[ServerStore]:
    """A store on a server, laid out."""
    store = connect(qdrant_server.url, "ray_")
    lay_out(store, LAYOUT.vectors)
    yield store
    for name in store.collections():
        store.drop_collection(name)
    store.close()


def test_workers_write_by_themselves_and_one_that_is_killed_loses_and_doubles_nothing(
    world: Path, wanted: Mapping[str, Point], store: ServerStore, on_ray: RayWorld
) -> None:
    on_ray.delay_s, on_ray.open_store = 0.02, partial(connect, store.address, "ray_")

    def kill(at: IngestProgress) -> None:
        if at.n_seen == 10:
            os.kill(on_ray.running()[0], signal.SIGKILL)

    report = on_ray.ingest(world, store, Claims(store, "world"), kill)
    assert (report.n_ingested + report.n_unchanged, report.quarantined) == (N_IMAGES, ())
    assert_same_points(contents(store), wanted)
    assert_ledger_agrees(store)
    assert store.count(META, (Condition("kind", "=", ("claim",)),)) == 0
    again = on_ray.ingest(world, store, Claims(store, "world"))
    assert (again.n_unchanged, again.n_ingested, again.n_removed) == (N_IMAGES, 0, 0)


def test_a_server_that_is_slow_and_loses_requests_and_answers_costs_nothing_but_time(
    world: Path,
    wanted: Mapping[str, Point],
    store: ServerStore,
    qdrant_server: QdrantServer,
    on_ray: RayWorld,
) -> None:
    with FaultProxy(qdrant_server.http_port) as proxy:
        on_ray.open_store = partial(connect, proxy.url, "ray_", False)

        def spoil(at: IngestProgress) -> None:
            if at.n_seen == 5:
                proxy.delay_s = 0.01
                proxy.fail("lost", every=5)
            elif at.n_seen == 15:
                proxy.fail("busy", every=3)
            elif at.n_seen == 25:
                proxy.fail("drop", every=4)

        report = on_ray.ingest(world, store, on_progress=spoil)
        assert proxy.n_faults > 5
    assert report.quarantined == ()
    assert_same_points(contents(store), wanted)
    assert_ledger_agrees(store)


def replicate(url: str, prefix: str) -> None:
    """Collections of which every point lies on two nodes."""
    raw = QdrantClient(url=url, check_compatibility=False)
    for spec in (segments_spec(LAYOUT), images_spec(), bank_spec(LAYOUT), meta_spec()):
        _create(raw, prefix, spec)
    raw.close()


def _create(raw: QdrantClient, prefix: str, spec: CollectionSpec) -> None:
    alias = f"{prefix}{spec.name}"
    vectors = {
        name: models.VectorParams(size=dim, distance=models.Distance.COSINE)
        for name, dim in spec.vectors.items()
    }
    raw.create_collection(f"{alias}_v1", vectors_config=vectors, shard_number=3, replication_factor=2)
    named = models.CreateAlias(collection_name=f"{alias}_v1", alias_name=alias)
    raw.update_collection_aliases([models.CreateAliasOperation(create_alias=named)])


def test_a_node_that_is_killed_stops_neither_ingest_nor_search_and_comes_back_whole(
    world: Path, wanted: Mapping[str, Point], qdrant_cluster: QdrantCluster, on_ray: RayWorld
) -> None:
    replicate(qdrant_cluster.url, "nodes_")
    store = connect(qdrant_cluster.url, "nodes_")
    lay_out(store, LAYOUT.vectors)
    on_ray.delay_s, on_ray.open_store = 0.05, partial(connect, qdrant_cluster.url, "nodes_")
    vector = next(p.vectors["neck"] for p in wanted.values() if "neck" in p.vectors)
    answers: list[int] = []
    failures: list[BaseException] = []
    ended = threading.Event()

    def search() -> None:
        searching = connect(qdrant_cluster.url, "nodes_")
        while not ended.is_set():
            try:
                answers.append(len(searching.query(SEGMENTS, [Query("neck", (vector,), limit=5)])[0]))
            except BaseException as exc:
                failures.append(exc)
            time.sleep(0.02)
        searching.close()

    def kill(at: IngestProgress) -> None:
        if at.n_seen == 15:
            qdrant_cluster.kill(2)

    thread = threading.Thread(target=search)
    thread.start()
    try:
        report = on_ray.ingest(world, store, on_progress=kill)
    finally:
        qdrant_cluster.start_node(2)
        ended.set()
        thread.join()
    qdrant_cluster.wait_whole()
    assert failures == []
    assert len(answers) > 5
    assert answers[-1] == 5
    assert (report.n_ingested, report.quarantined) == (N_IMAGES, ())
    for url in qdrant_cluster.urls:
        node = connect(url, "nodes_")
        assert_same_points(contents(node), wanted)
        assert_ledger_agrees(node)
        node.close()
    for name in store.collections():
        store.drop_collection(name)
    store.close()
