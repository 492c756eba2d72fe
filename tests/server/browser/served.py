"""`samdb serve` as a process of its own, on a store, on a port of the loopback."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

_START_S = 60.0
_ROOT = Path(__file__).resolve().parents[3]


class Served:
    """A server that can be stopped and started again on the same port; `url` is where it is."""

    def __init__(self, store: Path, log: Path, variables: Mapping[str, str], port: int | None = None) -> None:
        self.store = store
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
        environment |= {"SAMDB_STORE": str(self.store), **self._variables}
        command = [sys.executable, "-m", "samdb.cli.main", "serve", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=_ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health/live", timeout=5):
                return
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """Stop it; what was stored stays."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._process = None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
