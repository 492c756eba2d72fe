"""What `scripts/bench store` prints: a table for people, one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from scripts.benchmark.store.plan import Built, Served

_WIDTH = 170
_PACKAGES = ("qdrant-edge-py", "qdrant-client", "numpy")


@dataclass(frozen=True, slots=True)
class Row:
    """One way to ask one engine; ways of the same engine share what was built."""

    built: Built
    served: Served


@dataclass(frozen=True, slots=True)
class StoreReport:
    """All of one run. `n_seeds` real segments were mixed into `n` points; `left_out` says which engines
    are missing and why, `warnings` why the figures may be wrong.
    """

    date: str
    commit: str
    machine: Mapping[str, str | int | float]
    versions: Mapping[str, str]
    n: int
    dim: int
    recipe: str
    n_seeds: int
    queries: int
    seed: int
    rows: Sequence[Row]
    left_out: Sequence[str]
    warnings: Sequence[str]

    def to_json(self) -> str:
        """One JSON object with stable keys."""
        return json.dumps({"benchmark": "store", **asdict(self)})


def versions() -> dict[str, str]:
    """What samdb's own rows ran with, and the peers' pinned versions are in peers.txt."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def show(report: StoreReport) -> None:
    """Print the report to stdout, its warnings to stderr too."""
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    console.print(_table(report))
    for line in lines(report):
        console.print(line, soft_wrap=True, markup=False)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def lines(report: StoreReport) -> list[str]:
    """What stands below the table."""
    m = report.machine
    said = [
        f"{report.n:,} points of {report.dim} numbers ({report.recipe}), from {report.n_seeds:,} real "
        f"segments and seed {report.seed}; medians of {report.queries} questions for 10 hits, each asked of "
        "all of an engine's ways in turn, in one thread, the first 300 once before",
        "load: writing until durable; index: making it quick to find; wall (CPU) seconds, making the points "
        "left out. Memory: after all questions, in a process that opened what was built, own + mapped files; "
        "peak: while building",
        "x: a way's median time by that of the engine's own calls that fetch the same payload; "
        "samdb's search also looks up the paths of the hits' images",
        f"{m['cpu']}, {m['cores']} cores ({m['isa']}), {m['ram_gb']} GB, {m['system']}; "
        + ", ".join(f"{name} {v}" for name, v in report.versions.items())
        + f"; commit {report.commit}, {report.date}",
    ]
    return said + [f"left out: {why}" for why in report.left_out]


def _table(report: StoreReport) -> Table:
    table = Table(box=SIMPLE, pad_edge=False)
    filters = report.rows[0].served.filtered if report.rows else ()
    titles = ["", "load s", "points/s", "index s", "disk MB", "peak MB", "memory MB", "p50 / p95 ms", "x"]
    titles += ["QPS", "recall"]
    titles += [f"{f.class_name} ({f.share:.1%}): p50, recall" for f in filters]
    for i, title in enumerate(titles):
        table.add_column(title, justify="left" if i == 0 else "right")
    before: Built | None = None
    for row in report.rows:
        built = [""] * 5 if row.built is before else _built_cells(row.built, report.n)
        before = row.built
        table.add_row(row.served.name, *built, *_served_cells(row.served))
    return table


def _built_cells(built: Built, n: int) -> list[str]:
    return [
        f"{built.load_s:,.1f} ({built.load_cpu_s:,.1f})",
        f"{n / built.load_s:,.0f} ({n / built.load_cpu_s:,.0f})",
        f"{built.index_s:,.1f} ({built.index_cpu_s:,.1f})",
        f"{built.disk_mb:,.0f}",
        f"{built.peak_mb:,.0f}",
    ]


def _served_cells(served: Served) -> list[str]:
    return [
        f"{served.anon_mb:,.0f} + {served.file_mb:,.0f}",
        f"{served.p50_ms:.2f} / {served.p95_ms:.2f}",
        "" if served.overhead is None else f"{served.overhead:.2f}",
        "" if served.batch_qps is None else f"{served.batch_qps:,.0f}",
        "" if served.recall is None else f"{served.recall:.4f}",
        *(f"{f.p50_ms:.2f} ms, {f.recall:.4f}" for f in served.filtered),
    ]
