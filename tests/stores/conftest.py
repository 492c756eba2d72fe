"""Every store behind one fixture: the contract is tested on all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from samdb.core.points import Condition
from samdb.core.tuning import StoreTuning
from samdb.ports import VectorStore
from samdb.stores.edge import EdgeStore
from samdb.stores.memory import MemoryStore
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.stores.qdrant_server import QdrantServer
from tests.stores.worlds import SPEC

_SERVER = pytest.mark.server
# holds for every point
_ALL = (Condition("no_such_key", "!=", ("x",)),)


#: what is tested on a cluster, too; collections are slow to create there
_ON_CLUSTER = ("test_contract_points", "test_contract_queries", "test_write_all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is asked of every store on every store."""
    if "kind" in metafunc.fixturenames:
        assert metafunc.module is not None
        more = ["cluster"] if metafunc.module.__name__.endswith(_ON_CLUSTER) else []
        servers = [pytest.param(kind, marks=_SERVER) for kind in ("grpc", "rest", *more)]
        metafunc.parametrize("kind", ["memory", "edge", *servers], indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which store a test runs against."""
    return cast(str, request.param)


@pytest.fixture
def bare_store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    """A new store, without any collection."""
    prefix = f"t{uuid.uuid4().hex[:8]}_"
    store = _open(kind, tmp_path, request, prefix)
    yield store
    store.close()
    if isinstance(store, ServerStore):
        # the server is shared: leave nothing behind
        cleaner = _open(kind, tmp_path, request, prefix)
        for name in cleaner.collections():
            cleaner.drop_collection(name)
        cleaner.close()


@pytest.fixture
def store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[VectorStore]:
    """A store with the empty collection `things`."""
    # creating a collection takes a server a second or two, so that all tests share one there
    prefix = f"{kind}_"
    found = _open(kind, tmp_path, request, prefix)
    # as a cluster is made for: every read and write goes over several nodes
    spread = StoreTuning(shards=3, replicas=2) if kind == "cluster" else StoreTuning()
    found.create_collection(replace(SPEC, tuning=spread))
    yield found
    found.close()
    if isinstance(found, ServerStore):
        cleaner = _open(kind, tmp_path, request, prefix)
        if cleaner.collections() == [SPEC.name]:
            cleaner.delete(SPEC.name, where=_ALL)
        cleaner.close()


def _open(kind: str, tmp_path: Path, request: pytest.FixtureRequest, prefix: str) -> VectorStore:
    if kind == "memory":
        return MemoryStore()
    if kind == "edge":
        return EdgeStore(tmp_path / "store")
    if kind == "cluster":
        first, *others = request.getfixturevalue("qdrant_cluster").urls
        return ServerStore(ServerAddress(first, others=tuple(others)), prefix)
    server = cast(QdrantServer, request.getfixturevalue("qdrant_server"))
    remote = ServerStore(ServerAddress(server.url, prefer_grpc=kind == "grpc"), prefix)
    assert remote.uses_grpc == (kind == "grpc")
    return remote
