"""`samdb serve` in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from samdb.errors import SamdbError
from scripts.benchmark.machine import ROOT


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where a server is, and its process."""

    address: str
    pid: int


@contextmanager
def running_server(store: Path) -> Iterator[RunningServer]:
    """A server of that store, until the block ends. Raises SamdbError when it does not start."""
    command = [sys.executable, "-m", "samdb.cli.main", "serve", "--store", str(store), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://\S+", said)
            if found is None:
                raise SamdbError(f"the server on {store} did not start: see above")
            yield RunningServer(found[0], process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def memory_mb(pid: int) -> tuple[float, float]:
    """What a process holds, and how much of that is its own and not a mapped file; 0 where nobody tells."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    return int(sizes["VmRSS"]) / 1e3, int(sizes["RssAnon"]) / 1e3
