"""Fixtures that rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
