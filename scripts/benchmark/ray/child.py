"""`python -m scripts.benchmark.ray.child`: one ingest of `scripts/bench ray`, its task on standard input.

Prints a JSON object whose moments are of `time.monotonic`, which all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from samdb.api import Database
from samdb.config import load_settings
from samdb.workers.ray_cluster import RayPlan, connected
from scripts.benchmark.ray.plan import Side, Task


def main() -> None:
    """Ingest, timed from when SAM is loaded everywhere."""
    task = Task.from_json(sys.stdin.read())
    keep_to(task.side)
    plan = RayPlan(workers=task.side.workers) if task.side.workers else None
    settings = load_settings({"store": task.store, "model": task.model, "device": "cpu"})
    with ExitStack() as stack:
        ray_s = 0.0
        if plan is not None:
            began = time.monotonic()
            stack.enter_context(connected(plan))  # by itself, so that its end is not counted
            ray_s = time.monotonic() - began
        db = stack.enter_context(Database(settings))
        if plan is None:
            _ = db.segmenter
        report = db.ingest(Path(task.data), split=task.split or None, limit=task.limit, ray=plan)
        ended = time.monotonic()
        answer = {
            "n_images": report.n_ingested,
            "n_segments": report.n_segments,
            "n_workers": report.n_workers,
            "began": ended - report.seconds,
            "ended": ended,
            "ray_s": ray_s,
        }
    print(json.dumps(answer), flush=True)


def keep_to(side: Side) -> None:
    """Stay on the side's share of the cores, where the system lets one choose."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: side.cores])


if __name__ == "__main__":
    main()
