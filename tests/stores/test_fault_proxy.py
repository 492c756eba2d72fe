"""The fault proxy and the cluster do to a store what they say, and the store outlives it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from samdb.errors import StoreUnavailableError
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.stores.fault_proxy import FaultKind, FaultProxy
from tests.stores.qdrant_server import QdrantServer
from tests.stores.worlds import SPEC, point, uid

pytestmark = pytest.mark.server
NAME = SPEC.name


@pytest.fixture(scope="module")
def proxy(qdrant_server: QdrantServer) -> Iterator[FaultProxy]:
    with FaultProxy(qdrant_server.http_port) as found:
        yield found


@pytest.fixture(scope="module")
def shared(proxy: FaultProxy) -> Iterator[ServerStore]:
    """A store that talks REST through the proxy."""
    address = ServerAddress(proxy.url, prefer_grpc=False, timeout_s=6)
    found = ServerStore(address, f"f{uuid.uuid4().hex[:8]}_")
    found.create_collection(SPEC)
    yield found
    found.drop_collection(NAME)
    found.close()


@pytest.fixture
def store(shared: ServerStore, proxy: FaultProxy) -> Iterator[ServerStore]:
    """The shared store, empty, and nothing spoiled."""
    yield shared
    proxy.heal()
    shared.delete(NAME, ids=[uid(n) for n in range(20)])


@pytest.mark.parametrize("fault", ["busy", "drop", "lost"])
def test_every_second_write_fails_and_everything_is_stored_once(
    store: ServerStore, proxy: FaultProxy, fault: FaultKind
) -> None:
    proxy.fail(fault, every=2, match=b"/points")
    for n in range(10):
        store.upsert(NAME, [point(n)])
    assert proxy.n_faults >= 9
    proxy.heal()
    assert store.count(NAME) == 10


def test_a_server_that_refuses_connections_for_a_while_is_waited_for(
    store: ServerStore, proxy: FaultProxy
) -> None:
    proxy.down()
    back = threading.Timer(1.0, proxy.up)
    back.start()
    store.upsert(NAME, [point(1)])
    back.join()
    assert store.count(NAME) == 1


def test_a_slow_server_only_takes_longer(store: ServerStore, proxy: FaultProxy) -> None:
    proxy.delay_s = 0.5
    began = time.monotonic()
    store.upsert(NAME, [point(1)])
    assert 0.5 <= time.monotonic() - began < 3
    assert store.count(NAME) == 1


def test_a_server_that_never_answers_is_given_up(proxy: FaultProxy) -> None:
    store = ServerStore(ServerAddress(proxy.url, prefer_grpc=False, timeout_s=1))
    proxy.fail("hang")
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        store.collections()
    assert time.monotonic() - began < 5
    proxy.heal()
    store.close()
