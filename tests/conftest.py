"""Fixtures that rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sam.material import find_weights
from tests.stores.qdrant_server import NoServerError, QdrantServer


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


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """The MobileSAM checkpoint; skips where there is none."""
    path, reason = find_weights()
    if path is None:
        pytest.skip(reason)
    return path
