"""Fixtures that rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient

from tests.sam.material import find_weights
from tests.stores.qdrant_cluster import QdrantCluster
from tests.stores.qdrant_server import NoServerError, QdrantServer


@pytest.fixture(scope="session", autouse=True)
def heed_ctrl_c() -> None:
    """A runner started in the background ignores Ctrl-C, and so would the commands that tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def qdrant_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantServer]:
    """A real Qdrant server that lives as long as the tests; keep to collections with a prefix of your own."""
    server = QdrantServer(tmp_path_factory.mktemp("qdrant"))
    try:
        server.start()
    except NoServerError as exc:
        pytest.skip(str(exc))
    yield server
    server.stop()


@pytest.fixture
def raw(qdrant_server: QdrantServer) -> Iterator[QdrantClient]:
    """A bare client, to look behind the store's back."""
    client = QdrantClient(url=qdrant_server.url, check_compatibility=False)
    yield client
    client.close()


@pytest.fixture(scope="session")
def qdrant_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantCluster]:
    """A real cluster of three nodes that lives as long as the tests; keep to a prefix of your own, and leave
    all nodes running.
    """
    cluster = QdrantCluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
    except NoServerError as exc:
        pytest.skip(str(exc))
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """The MobileSAM checkpoint; skips where there is none."""
    path, reason = find_weights()
    if path is None:
        pytest.skip(reason)
    return path
