"""A store on a real cluster of three nodes: what a single server does not show."""

from __future__ import annotations

import pytest
from qdrant_client import QdrantClient, models

from samdb.core.points import Query
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.stores.qdrant_cluster import QdrantCluster
from tests.stores.worlds import point, uid, vec

pytestmark = pytest.mark.server


def test_a_node_is_killed_and_comes_back_with_every_point(qdrant_cluster: QdrantCluster) -> None:
    name, alias = "killed_things_v1", "killed_things"
    raw = QdrantClient(url=qdrant_cluster.url, check_compatibility=False)
    vectors = {"a": models.VectorParams(size=2, distance=models.Distance.COSINE)}
    raw.create_collection(name, vectors_config=vectors, shard_number=3, replication_factor=2)
    swap = models.CreateAlias(collection_name=name, alias_name=alias)
    raw.update_collection_aliases([models.CreateAliasOperation(create_alias=swap)])
    store = ServerStore(ServerAddress(qdrant_cluster.url), "killed_")
    store.upsert("things", [point(n) for n in range(100)])
    qdrant_cluster.kill(2)
    try:
        store.upsert("things", [point(n) for n in range(100, 200)])
        assert store.count("things") == 200
        assert store.query("things", [Query("a", (vec(1, 0),), limit=1)])[0][0].id == uid(0)
    finally:
        qdrant_cluster.start_node(2)
    qdrant_cluster.wait_whole()
    for url in qdrant_cluster.urls:
        node = ServerStore(ServerAddress(url), "killed_")
        assert node.count("things") == 200
        node.close()
    store.drop_collection("things")
    store.close()
    raw.close()
