"""From an address to a store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from samdb.errors import ConfigError
from samdb.ports import VectorStore
from samdb.stores.edge import EdgeStore
from samdb.stores.memory import MemoryStore
from samdb.stores.open import open_store
from samdb.stores.server import ServerStore
from tests.stores.qdrant_server import QdrantServer


def test_memory_is_a_new_store_each_time() -> None:
    one, two = open_store("memory:"), open_store("memory:")
    assert isinstance(one, MemoryStore)
    assert one is not two


def test_a_path_is_a_folder(tmp_path: Path) -> None:
    store: VectorStore = open_store(str(tmp_path / "samdb_data"))
    assert isinstance(store, EdgeStore)
    assert store.address == str(tmp_path / "samdb_data")
    store.close()


@pytest.mark.server
def test_a_url_is_a_server(qdrant_server: QdrantServer) -> None:
    store = open_store(qdrant_server.url + "/", prefix="open_", timeout_s=5)
    assert isinstance(store, ServerStore)
    assert store.uses_grpc
    assert store.address == qdrant_server.url
    store.close()


@pytest.mark.parametrize("address", ["", "s3://bucket/x", "qdrant://host"])
def test_what_is_neither_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"\./samdb_data, http://host:6333, or memory:"):
        open_store(address)


def test_asking_for_a_store_loads_no_engine_but_its_own() -> None:
    program = (
        "import sys; from samdb.stores.open import open_store; open_store('memory:');"
        "print([m for m in ('qdrant_client', 'qdrant_edge', 'grpc', 'torch') if m in sys.modules])"
    )
    repository = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stdout.strip() == "[]"
