"""What only the server store has: names, keys, TLS, retries, restarts."""

from __future__ import annotations

import dataclasses
import http.server
import importlib
import inspect
import json
import pkgutil
import shutil
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

import grpc
import pytest
import qdrant_client
from qdrant_client import QdrantClient, models

from samdb.core.points import CollectionSpec, Query
from samdb.errors import ConfigError, StoreLayoutError, StoreRejectedError, StoreUnavailableError
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from samdb.stores.server_errors import FOREIGN
from tests.stores.qdrant_server import NoServerError, QdrantServer
from tests.stores.worlds import SPEC, clustered, point, uid, vec

pytestmark = pytest.mark.server
NAME = SPEC.name
SECRET = "very-secret-key"


@pytest.fixture
def prefix() -> str:
    return f"s{uuid.uuid4().hex[:8]}_"


def start(server: QdrantServer) -> None:
    try:
        server.start()
    except NoServerError as exc:
        pytest.skip(str(exc))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_is_not_there_is_reported_within_seconds() -> None:
    began = time.monotonic()
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StoreUnavailableError, match=rf"{url} does not answer.*docker compose up -d"):
        ServerStore(ServerAddress(url))
    assert time.monotonic() - began < 10


def test_a_server_that_is_no_qdrant_is_refused() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(StoreUnavailableError, match="is no Qdrant server"):
            ServerStore(ServerAddress(f"http://127.0.0.1:{other.server_port}"))
        other.shutdown()


@pytest.mark.parametrize(
    "url", ["http://", "ftp://host:6333", "host:6333", "http://host:port", "http://me:pw@host:6333"]
)
def test_what_is_no_address_is_refused_and_no_password_is_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerAddress(url)
    assert "pw" not in str(caught.value)


def test_a_prefix_must_not_run_into_a_name(qdrant_server: QdrantServer) -> None:
    with pytest.raises(ConfigError, match="must end in _ or -"):
        ServerStore(ServerAddress(qdrant_server.url), "mine")


def test_collections_are_versioned_behind_aliases(
    qdrant_server: QdrantServer, raw: QdrantClient, prefix: str
) -> None:
    store = ServerStore(ServerAddress(qdrant_server.url), prefix)
    store.create_collection(SPEC)
    aliases = {a.alias_name: a.collection_name for a in raw.get_aliases().aliases}
    assert aliases[f"{prefix}{NAME}"] == f"{prefix}{NAME}_v1"
    assert store.status(NAME).physical_name == f"{prefix}{NAME}_v1"
    config = raw.get_collection(f"{prefix}{NAME}_v1").config
    scalar = config.quantization_config
    assert isinstance(scalar, models.ScalarQuantization)
    assert (scalar.scalar.type, scalar.scalar.always_ram) == (models.ScalarType.INT8, True)
    assert scalar.scalar.quantile == pytest.approx(0.99)
    store.drop_collection(NAME)
    assert f"{prefix}{NAME}_v1" not in {c.name for c in raw.get_collections().collections}
    store.close()


def test_a_swapped_alias_is_followed(qdrant_server: QdrantServer, raw: QdrantClient, prefix: str) -> None:
    # a migration builds segments_v2 beside segments_v1 and then swaps the alias in one step
    store = ServerStore(ServerAddress(qdrant_server.url), prefix)
    store.create_collection(SPEC)
    store.upsert(NAME, [point(1)])
    raw.create_collection(
        f"{prefix}{NAME}_v2",
        vectors_config={"a": models.VectorParams(size=2, distance=models.Distance.COSINE)},
    )
    swap = models.CreateAlias(collection_name=f"{prefix}{NAME}_v2", alias_name=f"{prefix}{NAME}")
    raw.update_collection_aliases([models.CreateAliasOperation(create_alias=swap)])
    assert store.count(NAME) == 0
    assert store.status(NAME).physical_name == f"{prefix}{NAME}_v2"
    store.drop_collection(NAME)
    raw.delete_collection(f"{prefix}{NAME}_v1")
    store.close()


def test_stores_with_other_prefixes_do_not_see_each_other(qdrant_server: QdrantServer, prefix: str) -> None:
    one = ServerStore(ServerAddress(qdrant_server.url), prefix)
    two = ServerStore(ServerAddress(qdrant_server.url), f"{prefix}b_")
    one.create_collection(SPEC)
    assert two.collections() == []
    two.create_collection(CollectionSpec(NAME, {"a": 5}, {}))
    one.upsert(NAME, [point(1)])
    assert (one.count(NAME), two.count(NAME)) == (1, 0)
    assert one.collections() == [NAME]
    for store in (one, two):
        store.drop_collection(NAME)
        store.close()


def test_a_collection_that_a_crash_left_without_its_alias_is_finished(
    qdrant_server: QdrantServer, raw: QdrantClient, prefix: str
) -> None:
    vectors = {
        n: models.VectorParams(size=d, distance=models.Distance.COSINE) for n, d in SPEC.vectors.items()
    }
    raw.create_collection(f"{prefix}{NAME}_v1", vectors_config=vectors)
    store = ServerStore(ServerAddress(qdrant_server.url), prefix)
    assert store.collections() == []
    store.create_collection(SPEC)
    store.upsert(NAME, [point(1, {"class_name": "car"})])
    assert store.facet(NAME, "class_name") == {"car": 1}
    store.drop_collection(NAME)
    store.close()


def test_two_workers_may_create_the_same_collection_at_once(qdrant_server: QdrantServer, prefix: str) -> None:
    stores = [ServerStore(ServerAddress(qdrant_server.url), prefix) for _ in range(3)]
    errors: list[Exception] = []

    def create(store: ServerStore) -> None:
        try:
            store.create_collection(SPEC)
        except Exception as exc:  # told to the test's own thread
            errors.append(exc)

    threads = [threading.Thread(target=create, args=(s,)) for s in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert stores[0].collections() == [NAME]
    stores[0].drop_collection(NAME)
    for store in stores:
        store.close()


def test_a_collection_dropped_by_another_process_is_reported(
    qdrant_server: QdrantServer, prefix: str
) -> None:
    one, two = (ServerStore(ServerAddress(qdrant_server.url), prefix) for _ in range(2))
    one.create_collection(SPEC)
    two.upsert(NAME, [point(1)])
    one.drop_collection(NAME)
    with pytest.raises(StoreLayoutError, match="samdb ingest"):
        two.count(NAME)
    for store in (one, two):
        store.close()


def test_vectors_cannot_be_added_to_a_server(qdrant_server: QdrantServer, prefix: str) -> None:
    store = ServerStore(ServerAddress(qdrant_server.url), prefix)
    store.create_collection(SPEC)
    with pytest.raises(StoreLayoutError, match="without the vectors c"):
        store.create_collection(CollectionSpec(NAME, {**SPEC.vectors, "c": 3}, {}))
    store.drop_collection(NAME)
    store.close()


def test_rest_is_used_where_grpc_does_not_answer(tmp_path: Path, qdrant_server: QdrantServer) -> None:
    # nothing listens there, and then something that is no gRPC at all
    for port in (free_port(), qdrant_server.http_port):
        store = ServerStore(ServerAddress(qdrant_server.url, grpc_port=port))
        assert not store.uses_grpc
        assert store.collections() is not None
        store.close()


def test_thousands_of_wide_points_fit_in_requests(qdrant_server: QdrantServer, prefix: str) -> None:
    store = ServerStore(ServerAddress(qdrant_server.url, prefer_grpc=False), prefix)
    store.create_collection(CollectionSpec("wide", {"a": 2304}, {}))
    rows = clustered(700, 2304, 5, seed=0)
    store.upsert("wide", [point(n, {}, {"a": rows[n]}) for n in range(700)])
    assert store.count("wide") == 700
    store.drop_collection("wide")
    store.close()


def test_the_key_is_needed_and_never_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    server = QdrantServer(tmp_path / "q", {"QDRANT__SERVICE__API_KEY": SECRET})
    start(server)
    try:
        for prefer_grpc in (True, False):
            for key in (None, "wrong-" + SECRET):
                with pytest.raises(StoreRejectedError, match="refused the API key") as caught:
                    ServerStore(ServerAddress(server.url, key, prefer_grpc=prefer_grpc))
                assert SECRET not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
            store = ServerStore(ServerAddress(server.url, SECRET, prefer_grpc=prefer_grpc))
            assert store.uses_grpc == prefer_grpc
            store.create_collection(SPEC)
            store.upsert(NAME, [point(1)])
            assert store.count(NAME) == 1
            assert SECRET not in f"{store!r} {store.address}"
            store.close()
    finally:
        server.stop()
    address = ServerAddress(server.url, SECRET)
    assert SECRET not in f"{address!r} {address}"
    with pytest.raises(StoreUnavailableError) as gone:
        ServerStore(address)
    assert SECRET not in str(gone.value)
    out, err = capfd.readouterr()
    assert SECRET not in out + err


def test_tls_is_checked_against_the_authority_given(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(make, check=True, capture_output=True)
    tls = {
        "QDRANT__SERVICE__ENABLE_TLS": "true",
        "QDRANT__TLS__CERT": str(cert),
        "QDRANT__TLS__KEY": str(key),
    }
    server = QdrantServer(tmp_path / "q", tls, scheme="https")
    start(server)
    try:
        with pytest.raises(StoreUnavailableError, match="cannot trust the certificate"):
            ServerStore(ServerAddress(server.url))
        with pytest.raises(ConfigError, match="does not exist"):
            ServerAddress(server.url, tls_ca=tmp_path / "no.pem")
        trusted = ServerAddress(server.url, SECRET, tls_ca=cert)
        for address, over_grpc in (
            (trusted, True),
            (dataclasses.replace(trusted, prefer_grpc=False), False),
            (ServerAddress(server.url, tls_verify=False), False),
        ):
            store = ServerStore(address)
            assert store.uses_grpc == over_grpc
            store.create_collection(SPEC)
            store.upsert(NAME, [point(1)])
            assert store.count(NAME) == 1
            store.close()
    finally:
        server.stop()


@pytest.mark.parametrize("prefer_grpc", [True, False])
def test_a_restart_of_the_server_is_survived(tmp_path: Path, prefer_grpc: bool) -> None:
    server = QdrantServer(tmp_path / "q")
    start(server)
    store = ServerStore(ServerAddress(server.url, prefer_grpc=prefer_grpc, timeout_s=6))
    store.create_collection(SPEC)
    store.upsert(NAME, [point(n) for n in range(100)])
    server.stop(kill=True)
    with pytest.raises(StoreUnavailableError, match="docker compose up -d"):
        store.count(NAME)
    returns = threading.Timer(1.5, server.start)
    returns.start()
    try:
        # it is waited for, what was acknowledged is there, and the same store object goes on
        assert store.count(NAME) == 100
        store.upsert(NAME, [point(100)])
        assert store.query(NAME, [Query("a", (vec(1, 0),), limit=1)])[0][0].id == uid(0)
        store.close()
    finally:
        returns.join()
        server.stop()


class _Flaky(http.server.BaseHTTPRequestHandler):
    """Answers as Qdrant does, but only every third time."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        busy = type(self).asked % 3 != 0
        body = {
            "title": "qdrant",
            "version": "1.16.3",
            "result": {"aliases": []},
            "status": "ok",
            "time": 0.0,
        }
        data = b"{}" if busy else json.dumps(body).encode()
        self.send_response(503 if busy else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_a_busy_server_is_asked_again() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Flaky) as flaky:
        threading.Thread(target=flaky.serve_forever, daemon=True).start()
        store = ServerStore(ServerAddress(f"http://127.0.0.1:{flaky.server_port}", prefer_grpc=False))
        assert store.collections() == []
        assert _Flaky.asked == 9
        store.close()
        flaky.shutdown()


def test_no_exception_of_the_client_is_unmapped() -> None:
    own: list[type] = []
    for module in pkgutil.walk_packages(qdrant_client.__path__, "qdrant_client."):
        if any(part in module.name for part in (".local", ".grpc", ".embed", ".fastembed", ".hybrid")):
            continue
        for _, found in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(found, Exception) and found.__module__.startswith("qdrant_client"):
                own.append(found)
    assert len(own) >= 4
    assert [cls for cls in own if not issubclass(cls, FOREIGN)] == []
    assert issubclass(grpc.RpcError, FOREIGN)
