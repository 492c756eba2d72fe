"""The store's tuning: read from text, kept in the layout, changed in place or by a copy, also half-way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec, Query
from samdb.core.tuning import StoreTuning, parse_tuning
from samdb.errors import ConfigError, StoreError, StoreLayoutError
from samdb.ports import Progress, silent
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import BANK, IMAGES, META, SEGMENTS, LayoutParams
from samdb.stores.memory import MemoryStore
from samdb.stores.migrate import check_layout, migrate, stored_params
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from samdb.stores.server_rebuild import _copy
from tests.stores.qdrant_cluster import QdrantCluster
from tests.stores.qdrant_server import QdrantServer
from tests.stores.worlds import clustered, point, uid

PARAMS = LayoutParams("vit_t", {"neck": 64})
N = 1200


def test_changes_are_read_from_text() -> None:
    assert parse_tuning("") == {}
    assert parse_tuning("shards=3, replicas = 2,on_disk_vectors=yes,quantization=binary") == {
        "shards": 3,
        "replicas": 2,
        "on_disk_vectors": True,
        "quantization": "binary",
    }
    tuned = StoreTuning().changed(parse_tuning("hnsw_m=32,write_consistency=2,replicas=2"))
    assert tuned.differences(StoreTuning()) == "replicas=2,write_consistency=2,hnsw_m=32"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shard=3", "did you mean shards"),
        ("shards=three", "whole number"),
        ("shards=0", "at least 1"),
        ("on_disk_vectors=perhaps", "yes or no"),
        ("quantization=int4", "int8, binary or none"),
        ("replicas=1,write_consistency=2", "more copies"),
        ("nonsense", "no store setting 'nonsense'"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_tuning(text)


def test_opening_with_other_settings_says_what_to_run() -> None:
    store = MemoryStore()
    migrate(store, PARAMS, tuning=parse_tuning("shards=2"))
    check_layout(store, "vit_t", tuning=parse_tuning("shards=2"))
    check_layout(store, "vit_t")
    with pytest.raises(StoreLayoutError, match=r"has shards=2.*ask for shards=3.*migrate --set shards=3"):
        check_layout(store, "vit_t", tuning=parse_tuning("shards=3"))
    assert migrate(store, PARAMS) == []
    held = stored_params(store)
    assert held is not None
    assert held.tuning == StoreTuning(shards=2)


def test_settings_that_were_half_changed_are_finished_by_the_next_run() -> None:
    class Dying(MemoryStore):
        dies_at = IMAGES

        def retune(self, spec: CollectionSpec, on_progress: Progress = silent) -> None:
            if spec.name == self.dies_at:
                raise StoreError("the power went out")
            super().retune(spec, on_progress)

    store = Dying()
    migrate(store, PARAMS)
    with pytest.raises(StoreError, match="power"):
        migrate(store, PARAMS, tuning={"hnsw_m": 8})
    with pytest.raises(StoreLayoutError, match=r"being changed.*samdb store migrate"):
        check_layout(store, "vit_t")
    store.dies_at = ""
    assert migrate(store, PARAMS) == ["tuning"]
    check_layout(store, "vit_t")
    held = stored_params(store)
    assert held is not None
    assert held.tuning.hnsw_m == 8


def test_an_embedded_store_builds_its_graph_anew(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "store")
    migrate(store, PARAMS)
    rows = clustered(6000, 64, 20, seed=0)
    store.upsert(SEGMENTS, [point(n, vectors={"neck": rows[n]}) for n in range(6000)])
    store.optimize(SEGMENTS)
    query = Query("neck", (rows[5],), limit=5)
    before = [h.id for h in store.query(SEGMENTS, [query])[0]]
    assert migrate(store, PARAMS, tuning=parse_tuning("hnsw_m=8,full_scan_kb=100,shards=4")) == ["tuning"]
    config = (tmp_path / "store" / SEGMENTS / "edge_config.json").read_text()
    assert '"m":8' in config
    graphs = list((tmp_path / "store" / SEGMENTS / "segments").glob("*/vector_index-neck/graph.bin"))
    assert graphs
    with pytest.raises(StoreLayoutError, match="samdb store copy OLD NEW"):
        migrate(store, PARAMS, tuning={"quantization": "none"})
    store.close()
    again = EdgeStore(tmp_path / "store")
    assert [h.id for h in again.query(SEGMENTS, [query])[0]] == before
    assert again.count(SEGMENTS) == 6000
    again.close()


def test_an_embedded_store_leaves_its_vectors_on_the_disk_when_told(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "store")
    migrate(store, PARAMS, tuning={"on_disk_vectors": True})
    rows = clustered(6000, 64, 20, seed=0)
    store.upsert(SEGMENTS, [point(n, vectors={"neck": rows[n]}) for n in range(6000)])
    query = Query("neck", (rows[5],), limit=5, exact=True)
    before = [h.id for h in store.query(SEGMENTS, [query])[0]]

    def places() -> set[str]:
        segments = (tmp_path / "store" / SEGMENTS / "segments").glob("*/segment.json")
        vectors = [json.loads(s.read_text())["config"]["vector_data"]["neck"] for s in segments]
        return {v["storage_type"] for v in vectors if v["index"]["type"] == "hnsw"}

    store.optimize(SEGMENTS)
    assert places() == {"Mmap"}
    assert migrate(store, PARAMS, tuning={"on_disk_vectors": False}) == ["tuning"]
    assert places() == {"InRamMmap"}
    assert [h.id for h in store.query(SEGMENTS, [query])[0]] == before
    store.close()


@pytest.mark.server
def test_a_server_changes_in_place_what_it_can_and_copies_for_other_shards(
    qdrant_server: QdrantServer, raw: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ServerStore(ServerAddress(qdrant_server.url), "tuned_")
    migrate(store, PARAMS)
    rows = clustered(N, 64, 10, seed=0)
    store.upsert(SEGMENTS, [point(n, {"class_name": "car"}, {"neck": rows[n]}) for n in range(N)])
    changes = "hnsw_m=24,on_disk_vectors=yes,hnsw_on_disk=yes,quantization=binary"
    assert migrate(store, PARAMS, tuning=parse_tuning(changes)) == ["tuning"]
    config = raw.get_collection("tuned_segments_v1").config
    assert isinstance(config.params.vectors, dict)
    assert (config.hnsw_config.m, config.hnsw_config.on_disk) == (24, True)
    assert config.params.vectors["neck"].on_disk
    assert isinstance(config.quantization_config, models.BinaryQuantization)

    # the copy dies in its second page, and goes on from there
    n_calls = 0

    def dies(*args: object) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls > 2:
            raise RuntimeError("killed")
        _copy(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("samdb.stores.server_rebuild._copy", dies)
        with pytest.raises(RuntimeError, match="killed"):
            migrate(store, PARAMS, tuning={"shards": 2, "quantization": "int8"})
    assert store.status(SEGMENTS).physical_name == "tuned_segments_v1"
    assert raw.count("tuned_segments_v2", exact=True).count == 500
    told: list[tuple[str, int, int]] = []
    assert migrate(store, PARAMS, on_progress=lambda *at: told.append(at)) == ["tuning"]
    assert [at for at in told if at[0] == "copy segments"] == [
        ("copy segments", 750, N),
        ("copy segments", 1000, N),
        ("copy segments", 1200, N),
    ]
    names = {c.name for c in raw.get_collections().collections if c.name.startswith("tuned_")}
    assert names == {"tuned_segments_v2", "tuned_images_v2", "tuned_bank_v1", "tuned_meta_v1"}
    config = raw.get_collection("tuned_segments_v2").config
    assert config.params.shard_number == 2
    assert isinstance(config.quantization_config, models.ScalarQuantization)
    assert config.hnsw_config.m == 24
    assert store.count(SEGMENTS) == N
    assert store.facet(SEGMENTS, "class_name") == {"car": N}
    assert store.query(SEGMENTS, [Query("neck", (rows[7],), limit=1)])[0][0].id == uid(7)
    for name in (SEGMENTS, IMAGES, BANK, META):
        store.drop_collection(name)
    store.close()


@pytest.mark.server
def test_a_cluster_gets_the_shards_and_copies_that_are_asked_for(qdrant_cluster: QdrantCluster) -> None:
    store = ServerStore(ServerAddress(qdrant_cluster.url), "shared_")
    spec = CollectionSpec("things", {"a": 64}, {"class_name": "keyword"}, tuning=StoreTuning(shards=3))
    store.create_collection(spec)
    store.upsert("things", [point(n, vectors={"a": row}) for n, row in enumerate(clustered(100, 64, 5, 0))])
    raw = QdrantClient(url=qdrant_cluster.url, check_compatibility=False)

    def copies() -> list[int]:
        info = raw.collection_cluster_info("shared_things_v1")
        shards = [s.shard_id for s in info.local_shards] + [s.shard_id for s in info.remote_shards]
        return [shards.count(i) for i in sorted(set(shards))]

    assert copies() == [1, 1, 1]
    store.retune(replace(spec, tuning=StoreTuning(shards=3, replicas=2)))
    assert copies() == [2, 2, 2]
    config = raw.get_collection("shared_things_v1").config.params
    assert (config.replication_factor, config.write_consistency_factor) == (2, 1)
    # one node less, and everything is still there; the store turns to a node that answers
    nodes = ServerAddress(qdrant_cluster.urls[1], others=(qdrant_cluster.url,), timeout_s=20)
    both = ServerStore(nodes, "shared_")
    assert both.address == qdrant_cluster.urls[1]
    qdrant_cluster.kill(1)
    try:
        assert both.count("things") == 100
        assert both.address == qdrant_cluster.url
        both.upsert("things", [point(200, vectors={"a": clustered(1, 64, 1, 1)[0]})])
    finally:
        qdrant_cluster.start_node(1)
    qdrant_cluster.wait_whole()
    store.retune(spec)
    assert copies() == [1, 1, 1]
    assert store.count("things") == 101
    store.drop_collection("things")
    for opened in (store, both):
        opened.close()
    raw.close()


@pytest.mark.server
def test_a_bulk_load_builds_its_indexes_at_the_end(qdrant_server: QdrantServer, raw: QdrantClient) -> None:
    store = ServerStore(ServerAddress(qdrant_server.url), "bulk_")
    store.create_collection(CollectionSpec("wide", {"a": 2048}, {}))
    store.defer_indexes("wide")
    # 28 MB of vectors: by itself the server indexes from 10 MB a segment on
    rows = clustered(3500, 2048, 5, seed=0)
    store.upsert("wide", [point(n, vectors={"a": rows[n]}) for n in range(3500)])
    assert raw.get_collection("bulk_wide_v1").indexed_vectors_count == 0
    told: list[tuple[str, int, int]] = []
    store.optimize("wide", lambda *at: told.append(at))
    assert told[-1] == ("index wide", 3500, 3500)
    assert [at[1] for at in told] == sorted(at[1] for at in told)
    assert raw.get_collection("bulk_wide_v1").status == models.CollectionStatus.GREEN
    store.drop_collection("wide")
    store.close()
