"""The door: keys, hosts, other sites' pages, sizes, files."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from samdb.config import load_settings
from samdb.errors import ConfigError
from samdb.server.options import ServeOptions, is_loopback
from tests.server.client import client_of
from tests.server.worlds import KEY, remember, small_world

SECRET = "correct horse battery"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No SAMDB_ variable from outside."""
    for name in [n for n in os.environ if n.startswith("SAMDB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store of three images."""
    return small_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def client(world: Path) -> Iterator[httpx.Client]:
    """A client of a server on this machine, small limits."""
    options = ServeOptions(max_upload_bytes=200_000, max_pixels=100_000, max_uploads_bytes=300_000)
    with client_of(str(world / "store"), options=options) as made:
        yield made


@pytest.fixture(scope="module")
def locked(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that wants a key."""
    other = small_world(tmp_path_factory.mktemp("locked"))
    with client_of(str(other / "store"), options=ServeOptions(api_key=SECRET)) as made:
        yield made


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a failure."""
    return answer.status_code, answer.json()["error"]["code"]


def test_every_answer_has_the_security_headers(client: httpx.Client) -> None:
    for path in ("/api/info", "/nope", f"/api/images/{KEY}/file", "/"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert client.get("/api/info").headers["cache-control"] == "no-store"
    assert "server" not in client.get("/api/info").headers


def test_another_name_that_leads_here_is_refused(client: httpx.Client) -> None:
    port = urlsplit(str(client.base_url)).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "", "[", "10.0.0.1"):
        assert code(client.get("/api/info", headers={"Host": host})) == (421, "unknown_host")
    for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", "[::1]:80"):
        assert client.get("/api/info", headers={"Host": host}).status_code == 200


def test_another_sites_page_changes_nothing(client: httpx.Client) -> None:
    body = {"segment_ids": [KEY], "class_name": "x"}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert code(client.post("/api/labels", json=body, headers=headers)) == (403, "foreign_page")
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/labels", json=body, headers=own).status_code == 404  # let in: there is no such


def test_a_key_is_asked_for_and_a_cookie_does_for_it(locked: httpx.Client) -> None:
    with httpx.Client(base_url=locked.base_url, trust_env=False) as visitor:
        for path in ("/api/info", "/api/segments", f"/api/images/{KEY}/file", "/api/uploads/x/file", "/nope"):
            assert code(visitor.get(path)) == (401, "key_needed")
        assert visitor.get("/health/live").status_code == 200
        assert visitor.get("/openapi.json").status_code == 200
        for headers in (
            {"Authorization": "Bearer wrong"},
            {"Authorization": SECRET},
            {"X-API-Key": SECRET + "x"},
            {"Cookie": f"samdb_session={SECRET}"},
            {"Cookie": "samdb_session=\u00e9".encode("latin-1")},
        ):
            assert visitor.get("/api/info", headers=headers).status_code == 401  # type: ignore[arg-type]
        for headers in ({"Authorization": f"Bearer {SECRET}"}, {"X-API-Key": SECRET}):
            assert visitor.get("/api/info", headers=headers).json()["auth"] is True
        assert code(visitor.post("/api/login", json={"key": "wrong"})) == (401, "wrong_key")
        answer = visitor.post("/api/login", json={"key": SECRET})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert SECRET not in cookie
        assert visitor.get("/api/info").status_code == 200
        guesses = [visitor.post("/api/login", json={"key": f"guess {i}"}).status_code for i in range(12)]
        assert guesses[-1] == 429


def test_a_server_for_others_needs_a_key() -> None:
    with pytest.raises(ConfigError, match="SAMDB_SERVE_API_KEY"):
        ServeOptions.of(load_settings({"serve_host": "0.0.0.0"}))
    with pytest.raises(ConfigError, match="at least 8"):
        ServeOptions.of(load_settings({"serve_host": "0.0.0.0", "serve_api_key": "short"}))
    options = ServeOptions.of(load_settings({"serve_host": "0.0.0.0", "serve_api_key": SECRET}))
    assert options.api_key == SECRET
    assert SECRET not in str(load_settings({"serve_api_key": SECRET}).shown())
    assert ServeOptions.of(load_settings({})).api_key is None
    assert [is_loopback(h) for h in ("::1", "localhost", "127.9.9.9", "0.0.0.0", "example.org")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_no_path_from_outside_reaches_the_file_system(client: httpx.Client) -> None:
    for path in (
        "/assets/../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/options.py",
        "/assets/..%2foptions.py",
        "/assets//etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/api/images/..%2f..%2fetc%2fpasswd/file",
        "/api/uploads/..%2f..%2fetc%2fpasswd/file",
        "/api/segments/%00/crop",
        "/api/banks/..%2fx/prototypes",
    ):
        host, port = urlsplit(str(client.base_url)).netloc.split(":")
        with socket.create_connection((host, int(port)), 10) as connection:  # httpx would tidy the path
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = connection.makefile("rb").read()
        status = int(answer.split(b" ")[1])
        assert status in (400, 404, 422), (path, answer)
        assert b"root:" not in answer
        assert b"dataclass" not in answer


def test_only_images_of_the_ledger_are_shown_and_only_as_they_were(world: Path, client: httpx.Client) -> None:
    key, path = remember(world, 2)
    assert client.get(f"/api/images/{key}/file").status_code == 200
    content = path.read_bytes()
    Image.new("RGB", (9, 9)).save(path)
    changed = client.get(f"/api/images/{key}/file")
    assert code(changed) == (410, "image_changed")
    assert "samdb ingest" in changed.json()["error"]["message"]
    path.unlink()
    assert code(client.get(f"/api/images/{key}/file")) == (410, "image_gone")
    os.mkfifo(path)  # reading it would wait for ever
    assert code(client.get(f"/api/images/{key}/file")) == (410, "image_gone")
    path.unlink()
    path.write_bytes(content)
    assert client.get(f"/api/images/{key}/file").status_code == 200


def test_uploads_are_limited_in_bytes_pixels_and_total(client: httpx.Client) -> None:
    def send(content: bytes, name: str = "a.png") -> httpx.Response:
        return client.post("/api/uploads", files={"file": (name, content)})

    assert code(send(b"x" * 200_001)) == (413, "too_large")
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")  # 400 megapixels in 50 kB
    assert len(bomb.getvalue()) < 200_000
    assert code(send(bomb.getvalue())) == (413, "too_many_pixels")
    assert code(send(b"not an image")) == (422, "bad_image")
    assert code(send(b"")) == (422, "bad_image")
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 240, 3), dtype=np.uint8)).save(
        picture, "PNG"
    )
    damaged = picture.getvalue()[:-20_000]
    refused = send(damaged)
    assert code(refused) == (422, "bad_image")
    assert "samdb-uploads" not in refused.text
    ids = [send(picture.getvalue(), f"../{i}.png").json()["upload_id"] for i in range(3)]
    there = [client.get(f"/api/uploads/{i}/file").status_code for i in ids]
    assert there == [404, 200, 200]  # all three would take 430 kB


def test_a_body_of_untold_length_is_counted(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    assert code(client.post("/api/search", content=endless())) == (413, "too_large")


def test_a_form_without_a_file_is_explained(client: httpx.Client) -> None:
    assert code(client.post("/api/uploads", data={"file": "text"})) == (422, "invalid")
    assert code(client.post("/api/uploads", content=b"x")) == (422, "invalid")
