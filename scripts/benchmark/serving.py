"""From a click to results: `scripts/bench serve`.

A store of many segments is made from a few real ones (each is a real segment moved a little), `samdb serve`
is started on it, and asked: one user after another, then many at once. Times are what a client sees on this
machine: the request, the search, the JSON; not the browser.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from samdb.errors import SamdbError
from scripts.benchmark.large_store import Source, make_large, read_source
from scripts.benchmark.machine import commit, load_average, machine
from scripts.benchmark.served import memory_mb, running_server

_WARM_UP = 30
_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of `n` requests."""

    n: int
    p50_ms: float
    p95_ms: float
    max_ms: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> Latency:
        """The figures of some times."""
        p50, p95, most = (float(v) * 1e3 for v in np.percentile(times_s, [50, 95, 100]))
        return cls(len(times_s), round(p50, 2), round(p95, 2), round(most, 2))


@dataclass(frozen=True, slots=True)
class ServeFigures:
    """One size of store: building it, one user, `users` at once, and what the server's process holds."""

    n_segments: int
    build_s: float
    first_ms: float
    click: Latency
    crops: Latency
    users: int
    requests_per_s: float
    under_load: Latency
    rss_mb: float
    anonymous_mb: float
    answer_bytes: int


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark and print it."""
    made = argparse.ArgumentParser(prog="scripts/bench serve", description=__doc__)
    made.add_argument("--store", type=Path, help="an embedded store whose segments are varied")
    made.add_argument(
        "--data", type=Path, help="a dataset to ingest for that (default: the demo's photographs)"
    )
    made.add_argument("--segments", default="10000,100000", help="sizes of store, such as 10000,1000000")
    made.add_argument("--users", type=int, default=16, help="users at once")
    made.add_argument("--n", type=int, default=300, help="clicks of a single user")
    made.add_argument("--load-s", type=float, default=8.0, help="for how long they ask, s")
    made.add_argument("--keep", type=Path, help="keep the large stores in this folder, and use them again")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    options = made.parse_args(arguments)
    try:
        return _run(options)
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code


def measure(store: Path, n_segments: int, build_s: float, users: int, n: int, load_s: float) -> ServeFigures:
    """Start the server on a store and ask it, `users` at once for `load_s`; the segments are any."""
    with running_server(store) as server:
        user = User(server.address)
        ids = user.some_segments(max(n, 200))
        first_ms = user.search(ids[0])[0] * 1e3
        for i in range(_WARM_UP):
            user.search(ids[i % len(ids)])
        asked = [user.search(i) for i in ids[:n]]
        crops = [user.get(f"/api/segments/{i}/crop")[0] for i in ids[:100]]
        loaded, elapsed_s = under_load(server.address, ids, users, load_s)
        rss_mb, anonymous_mb = memory_mb(server.pid)
    return ServeFigures(
        n_segments=n_segments,
        build_s=round(build_s, 1),
        first_ms=round(first_ms, 1),
        click=Latency.of([t for t, _ in asked]),
        crops=Latency.of(crops),
        users=users,
        requests_per_s=round(len(loaded) / elapsed_s, 1),
        under_load=Latency.of(loaded),
        rss_mb=round(rss_mb),
        anonymous_mb=round(anonymous_mb),
        answer_bytes=int(np.median([size for _, size in asked])),
    )


def under_load(address: str, ids: Sequence[str], users: int, load_s: float) -> tuple[list[float], float]:
    """The times of what so many users ask at once, each again as soon as it has its answer; and how long."""
    times: list[list[float]] = [[] for _ in range(users)]
    end = time.perf_counter() + load_s

    def click(number: int) -> None:
        user, i = User(address), number
        while time.perf_counter() < end:
            times[number].append(user.search(ids[i % len(ids)])[0])
            i += users

    threads = [threading.Thread(target=click, args=(k,)) for k in range(users)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [t for own in times for t in own], time.perf_counter() - began


class User:
    """A client with one connection, as light as can be: it shares the processor with the server."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)

    def get(self, path: str) -> tuple[float, bytes]:
        """Seconds, and the answer."""
        return self._ask("GET", path, None)

    def search(self, segment_id: str) -> tuple[float, int]:
        """Seconds, and the bytes of the answer, for a click on a segment."""
        body = json.dumps({"positives": [{"segment_id": segment_id}], "limit": _LIMIT})
        seconds, answer = self._ask("POST", "/api/search", body)
        return seconds, len(answer)

    def some_segments(self, n: int) -> list[str]:
        """The ids of `n` segments, the first by id: ids are hashes, so these are any."""
        answer = json.loads(self.get(f"/api/segments?limit={min(n, 500)}")[1])
        return [item["segment_id"] for item in answer["items"]]

    def _ask(self, method: str, path: str, body: str | None) -> tuple[float, bytes]:
        began = time.perf_counter()
        self._connection.request(method, path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SamdbError(f"{path} was answered with {response.status}: {answer[:300].decode()}")
        return time.perf_counter() - began, answer


def _run(options: argparse.Namespace) -> int:
    load_before, figures = load_average(), []
    with tempfile.TemporaryDirectory(prefix="samdb-bench-") as folder:
        source: Source = read_source(options.store, options.data, Path(folder))
        for n in [int(text) for text in options.segments.split(",")]:
            store = (options.keep or Path(folder)) / f"store_{n}"
            began = time.perf_counter()
            if not store.exists():
                print(f"making a store of {n:,} segments", file=sys.stderr, flush=True)
                make_large(source, store, n)
            build_s = time.perf_counter() - began
            figures.append(measure(store, n, build_s, options.users, options.n, options.load_s))
            if not options.json:
                _show(figures[-1])
    about = {
        "benchmark": "serve",
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "machine": machine(),
        "load_average_before": load_before,
        "source": source.shown,
        "rows": [asdict(f) for f in figures],
    }
    if options.json:
        print(json.dumps(about))
    else:
        m = about["machine"]
        assert isinstance(m, dict)
        print(
            f"{m['cpu']}, {m['cores']} cores, {m['ram_gb']} GB; commit {about['commit']}; of {source.shown}"
        )
        print("the clients run on the same cores")
    if load_before is not None and load_before > 0.5:
        print(f"warning: the load average was {load_before:.1f} before: other jobs run", file=sys.stderr)
    return 0


def _show(row: ServeFigures) -> None:
    print(
        f"{row.n_segments:>9,} segments: click p50 {row.click.p50_ms:.1f} ms, p95 {row.click.p95_ms:.1f} ms "
        f"(n {row.click.n}, the first {row.first_ms:.0f} ms, {row.answer_bytes / 1e3:.0f} kB); crop p50 "
        f"{row.crops.p50_ms:.1f} ms; {row.users} users: {row.requests_per_s:.0f} requests/s, p95 "
        f"{row.under_load.p95_ms:.0f} ms; RSS {row.rss_mb:,.0f} MB, of which {row.anonymous_mb:,.0f} its "
        f"own; built in {row.build_s:.0f} s"
    )
