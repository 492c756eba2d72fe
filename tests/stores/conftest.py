"""Every store behind one fixture: the contract is tested on all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from samdb.core.points import Condition
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


@pytest.fixture(
    params=["memory", "edge", pytest.param("grpc", marks=_SERVER), pytest.param("rest", marks=_SERVER)]
)
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
    found.create_collection(SPEC)
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
    server = cast(QdrantServer, request.getfixturevalue("qdrant_server"))
    remote = ServerStore(ServerAddress(server.url, prefer_grpc=kind == "grpc"), prefix)
    assert remote.uses_grpc == (kind == "grpc")
    return remote
