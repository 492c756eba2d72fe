"""A Qdrant server, written to and asked through samdb's store."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from samdb.pipelines.examples import Example
from samdb.pipelines.search import SearchRequest, search
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.open import open_store
from scripts.benchmark.store.points import Vectors
from scripts.benchmark.store.samdb_store import SamdbStore, where_class
from scripts.benchmark.store.timing import Way

_POLL_S, _STILL = 1.0, 5


class Server(SamdbStore):
    """A samdb store on a server of this machine, whose process is found by its port."""

    def __init__(self, recipe: str, model: str, address: str, tuning: str = "") -> None:
        super().__init__(recipe, model, tuning=tuning)
        self._address = address
        self._process = _listening(urlsplit(address).port or 6333)

    def open(self, place: Path) -> None:
        self._store = open_store(self._address, timeout_s=300.0)

    def index(self) -> None:
        """Wait until the server's own optimizers have indexed all points."""
        for name in (SEGMENTS, IMAGES):
            self.store.optimize(name)
        before, still = -1, 0
        # several segments are indexed one after the other, and small ones never: what stays as it is, is done
        while still < _STILL:
            time.sleep(_POLL_S)
            now = self.store.status(SEGMENTS).n_indexed_vectors
            still = still + 1 if now == before else 0
            before = now

    def more_ways(self, asked: Vectors, k: int, n: int) -> list[Way]:
        """samdb's search, beside the query alone."""

        def by_vector(i: int, class_name: str | None) -> list[str]:
            request = SearchRequest(self.recipe, (Example(asked[i]),), where=where_class(class_name), limit=k)
            return [hit.segment.segment_id for hit in search(self.store, request)]

        return [Way("samdb search, server", True, by_vector, beside="server")]

    def cpu_s(self) -> float:
        used = self._process.cpu_times()
        return time.process_time() + float(used.user + used.system)

    def memory_mb(self) -> tuple[float, float]:
        held = self._process.memory_info()
        return (held.rss - held.shared) / 1e6, held.shared / 1e6

    def peak_mb(self) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(float(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM:"))

    def close(self) -> None:
        self.store.close()


def _listening(port: int) -> psutil.Process:
    """The process of this machine that listens on a port. Raises LookupError."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return psutil.Process(connection.pid)
    raise LookupError(f"nothing on this machine listens on port {port}")
