"""One measured process: reads a plan from stdin, does it, prints the answer as the last line of stdout.

Peers run in an environment of their own, without samdb: what they need imports numpy and Python alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from scripts.benchmark.machine import memory_mb
from scripts.benchmark.store import truth
from scripts.benchmark.store.engine import Feed
from scripts.benchmark.store.engines import engine_of
from scripts.benchmark.store.plan import Built, Served, StorePlan
from scripts.benchmark.store.points import Points, Seeds
from scripts.benchmark.store.timing import Way, asked_in_turn, batch_qps, filtered


def main() -> int:
    """Do one plan."""
    plan = StorePlan.from_json(sys.stdin.read())
    print(json.dumps(do(plan)))
    return 0


def do(plan: StorePlan) -> object:
    """The answer to a plan, as JSON knows it."""
    points = Points.of(Seeds.load(Path(plan.folder)), plan.n, plan.seed)
    if plan.task == "truth":
        truth.save(Path(plan.folder), truth.exact(points, plan.queries, plan.k, plan.filters))
        return None
    if plan.task == "build":
        return asdict(build(plan, points))
    return [asdict(served) for served in serve(plan, points)]


def build(plan: StorePlan, points: Points) -> Built:
    """Build the engine's store from all points."""
    engine = engine_of(plan)
    place = Path(plan.place)
    place.mkdir(parents=True, exist_ok=True)
    engine.create(place, points.seeds.vectors.shape[1], len(points))
    feed = Feed(points, plan.batch, engine.ready)
    began, cpu = time.perf_counter(), engine.cpu_s()
    for i, batch in enumerate(feed):
        engine.load(batch)
        if i % 100 == 99:
            print(f"{(i + 1) * plan.batch} points after {time.perf_counter() - began:.0f} s", file=sys.stderr)
    engine.loaded()
    load_s = time.perf_counter() - began - feed.seconds
    load_cpu_s = engine.cpu_s() - cpu - feed.cpu_s
    began, cpu = time.perf_counter(), engine.cpu_s()
    engine.index()
    index_s, index_cpu_s = time.perf_counter() - began, engine.cpu_s() - cpu
    engine.close()
    return Built(load_s, load_cpu_s, index_s, index_cpu_s, engine.peak_mb(), _disk_mb(place))


def serve(plan: StorePlan, points: Points) -> list[Served]:
    """Open what was built and ask it."""
    engine = engine_of(plan)
    imports_mb = sum(memory_mb())
    began = time.perf_counter()
    engine.open(Path(plan.place))
    open_s = time.perf_counter() - began
    open_mb = sum(engine.memory_mb())
    asked = points.queries(plan.queries)
    exact = truth.load(Path(plan.folder))
    wanted = {
        name: [[engine.name(int(i)) for i in row if i >= 0] for row in rows] for name, rows in exact.items()
    }
    classes = points.classes()
    shares = {name: classes.count(name) / len(classes) for name in plan.filters}
    ways = [Way(plan.engine, engine.payload, lambda i, c: engine.query(asked[i : i + 1], plan.k, c)[0])]
    ways += engine.more_ways(asked, plan.k, len(points))
    answers = asked_in_turn(ways, len(asked), wanted[""])
    qps = batch_qps(lambda rows: engine.query(rows, plan.k, None), asked)
    by_class = filtered(ways, len(asked), wanted, shares)
    anon_mb, file_mb = engine.memory_mb()
    found = [
        Served(
            name=way.name,
            payload=way.payload,
            p50_ms=timed.p50_ms,
            p95_ms=timed.p95_ms,
            cpu_ms=timed.cpu_ms,
            batch_qps=qps if way is ways[0] else None,
            recall=timed.recall,
            overhead=timed.overhead,
            open_s=open_s,
            imports_mb=imports_mb,
            open_mb=open_mb,
            anon_mb=anon_mb,
            file_mb=file_mb,
            filtered=by_class[way.name],
        )
        for way, timed in zip(ways, answers, strict=True)
    ]
    engine.close()
    return found


def _disk_mb(place: Path) -> float:
    files = [os.stat(os.path.join(folder, f)) for folder, _, names in os.walk(place) for f in names]
    # what the files take: some are mostly holes
    return sum(s.st_blocks * 512 if hasattr(s, "st_blocks") else s.st_size for s in files) / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
