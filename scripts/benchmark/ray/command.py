"""What Ray costs and gives: `scripts/bench ray`.

The same photographs are ingested into an embedded store by a plain `samdb ingest`, by one worker on Ray
with all cores, by a plain one on half of the cores, and by two workers on Ray with half of the cores each:
in turn, each time in a process of its own. Throughput counts from when SAM is loaded; the start is printed
beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

from samdb import wiring
from samdb.config import load_settings
from samdb.errors import SamdbError
from samdb.workers.ray_cluster import check_installed
from scripts.benchmark.machine import ROOT, busy_seconds, commit, load_average, machine
from scripts.benchmark.material import choose_material
from scripts.benchmark.ray.plan import Side, Start, Task, Times, sides
from scripts.benchmark.ray.tree import Tree, adopt_orphans
from scripts.benchmark.runs import ChildError

#: a process that takes longer than this is stuck
_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Row:
    """A side's rounds: medians, and every round's images per second. `speed` is the median of the ratios to
    the rival's images per second in the same round, `cpu` that of the CPU seconds per image; None for the
    side that the others are compared with.
    """

    side: str
    cores: int
    n_images: int
    images_per_s: float
    rounds: list[float]
    cpu_s_per_image: float
    start_s: float
    start_cpu_s: float
    ray_s: float
    rival: str
    speed: float | None
    cpu: float | None


def main(arguments: Sequence[str], start: Start | None = None) -> int:
    """Run the benchmark and print it."""
    made = argparse.ArgumentParser(
        prog="scripts/bench ray", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--data", type=Path, help="a dataset (default: 20 photographs, fetched once)")
    made.add_argument("--images", type=int, default=24, help="images in each round (default 24, or all)")
    made.add_argument("--n", type=int, default=3, help="rounds (default 3)")
    made.add_argument("--model", default="vit_t", help="vit_t (default), vit_b, vit_l or vit_h")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    options = made.parse_args(arguments)
    if options.n < 1 or options.images < 1:
        made.error("--n and --images must be at least 1")
    try:
        return _run(options, start or start_process)
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code


def start_process(task: Task) -> Times:
    """Do a task in a fresh Python. Raises ChildError with what it said when it fails."""
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said, Tree() as tree:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts.benchmark.ray.child"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            out, _ = process.communicate(task.to_json(), timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            out = ""
            process.kill()
        code = process.wait()
        said.seek(0)
        words = said.read().strip().splitlines()
    if code != 0 or not out.strip():
        raise ChildError(
            "\n  ".join([f"the process of {task.side.name} failed (exit {code}):", *words[-15:]])
        )
    raw: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return Times(
        n_images=raw["n_images"],
        n_segments=raw["n_segments"],
        n_workers=raw["n_workers"],
        seconds=raw["ended"] - raw["began"],
        cpu_s=tree.cpu_s(raw["began"], raw["ended"]),
        start_s=raw["began"] - began,
        start_cpu_s=tree.cpu_s(began, raw["began"]),
        ray_s=raw["ray_s"],
    )


def rows(order: Sequence[Side], rounds: Sequence[Sequence[Times]]) -> list[Row]:
    """A row per side of what its rounds gave; `rounds` hold the sides in their order."""
    column = {side.name: [times[i] for times in rounds] for i, side in enumerate(order)}
    return [_row(side, column) for side in order]


def _row(side: Side, column: dict[str, list[Times]]) -> Row:
    own = column[side.name]
    rival = column.get(side.rival, [])
    pace = [t.n_images / t.seconds for t in own]
    cpu = [t.cpu_s / t.n_images for t in own]
    return Row(
        side=side.name,
        cores=side.cores,
        n_images=own[0].n_images,
        images_per_s=round(median(pace), 3),
        rounds=[round(p, 3) for p in pace],
        cpu_s_per_image=round(median(cpu), 3),
        start_s=round(median(t.start_s for t in own), 1),
        start_cpu_s=round(median(t.start_cpu_s for t in own), 1),
        ray_s=round(median(t.ray_s for t in own), 1),
        rival=side.rival,
        speed=_ratio(pace, [t.n_images / t.seconds for t in rival]),
        cpu=_ratio(cpu, [t.cpu_s / t.n_images for t in rival]),
    )


def _ratio(own: Sequence[float], rival: Sequence[float]) -> float | None:
    """The median of round by round; None with no rival, or where the system tells no CPU time."""
    if not rival or min(rival) <= 0:
        return None
    return round(median(a / b for a, b in zip(own, rival, strict=True)), 3)


def _run(options: argparse.Namespace, start: Start) -> int:
    check_installed()
    load_before, measured_commit = load_average(), commit()
    adopt_orphans()
    wiring.fetch_weights(load_settings({"model": options.model}))  # here, not in what is timed
    material = choose_material(options.data, options.images)
    split = material.split if options.data else ""  # all 20
    about = machine()
    order = sides(int(about["cores"]))
    rounds: list[list[Times]] = []
    busy, began = busy_seconds(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="samdb-bench-") as folder:
        for k in range(options.n):
            done: list[Times] = []
            for side in order:
                at = len(rounds) * len(order) + len(done) + 1
                print(f"{at}/{options.n * len(order)} {side.name}", file=sys.stderr, flush=True)
                store = str(Path(folder) / f"store-{at}")
                data = (str(material.data), split, options.images)
                done.append(start(Task(side, *data, options.model, store)))
            rounds.append(done)
            _check_same(order, done, k + 1)
    found = rows(order, rounds)
    report = {
        "benchmark": "ray",
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": measured_commit,
        "machine": about,
        "model": options.model,
        "data": material.shown,
        "n_segments": rounds[0][0].n_segments,
        "n_rounds": options.n,
        "rows": [asdict(row) for row in found],
        "two_workers_per_core": _per_core(rounds),
        "warnings": _warnings(options.n, load_before, _others(rounds, busy, began)),
    }
    if options.json:
        print(json.dumps(report))
    else:
        _show(report, found)
    return 0


def _per_core(rounds: Sequence[Sequence[Times]]) -> float:
    """Images per second of two workers by twice those of a plain ingest on half of the cores, as large."""
    pairs = [(two, half) for _, _, half, two in rounds]
    return round(
        median(two.n_images / two.seconds / (2 * half.n_images / half.seconds) for two, half in pairs), 3
    )


def _check_same(order: Sequence[Side], done: Sequence[Times], round_: int) -> None:
    """Raise ChildError when the sides did not do the same."""
    for side, times in zip(order, done, strict=True):
        if (times.n_images, times.n_workers) != (done[0].n_images, max(1, side.workers)):
            raise ChildError(
                f"round {round_}: {side.name} ingested {times.n_images} images with {times.n_workers} "
                f"worker(s), plain {done[0].n_images}: not the same work, so no figures"
            )


def _others(rounds: Sequence[Sequence[Times]], busy: float | None, began: float) -> float | None:
    """How many cores other processes kept busy meanwhile; None where the system does not tell."""
    now = busy_seconds()
    if busy is None or now is None:
        return None
    own = sum(t.cpu_s + t.start_cpu_s for times in rounds for t in times)
    return max(0.0, (now - busy - own) / max(1e-9, time.monotonic() - began))


def _warnings(n: int, load_before: float | None, others: float | None) -> list[str]:
    said = [] if n >= 3 else [f"{n} round(s): not a measurement, use --n 3 or more"]
    if load_before is not None and load_before > 0.5:
        said.append(f"the load average was {load_before:.1f} before: other jobs are running")
    if others is not None and others > 0.3:
        said.append(f"other processes kept {others:.1f} cores busy meanwhile")
    return said


def _show(report: dict[str, Any], found: Sequence[Row]) -> None:
    print(
        f"{'':<18} {'cores':>5} {'images/s':>9} {'CPU s/image':>12} {'start s':>8} {'Ray s':>6}  beside plain"
    )
    for row in found:
        beside = ""
        if row.speed is not None:
            more = "" if row.cpu is None else f", {100 * (row.cpu - 1):+.1f} % CPU"
            beside = f"{row.speed:.2f} x the speed ({100 * (1 / row.speed - 1):+.1f} % time){more}"
        print(
            f"{row.side:<18} {row.cores:>5} {row.images_per_s:>9.2f} {row.cpu_s_per_image:>12.3f} "
            f"{row.start_s:>8.1f} {row.ray_s:>6.1f}  {beside}".rstrip()
        )
    print(f"two workers do {report['two_workers_per_core']:.2f} x what two plain ingests on half would do")
    m = report["machine"]
    print(
        f"{report['data']}: {found[0].n_images} images, {report['n_segments']} segments, {report['model']}; "
        f"medians of {report['n_rounds']} rounds in turn; {m['cpu']}, {m['cores']} cores, {m['ram_gb']} GB; "
        f"commit {report['commit']}"
    )
    for text in report["warnings"]:
        print(f"warning: {text}", file=sys.stderr)
