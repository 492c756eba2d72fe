"""What a benchmark prints: a table for people, one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from scripts.benchmark.plan import Flops
from scripts.benchmark.results import Ratio, Row

#: narrower terminals would cut the table
_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Report:
    """All of one benchmark. `gemm` is the measured peak by precision, in operations per second; `flops` by
    side; `notes` say how to read the figures, `warnings` why not to trust them.
    """

    benchmark: str
    date: str
    commit: str
    machine: Mapping[str, str | int | float]
    versions: Mapping[str, str]
    threads: int
    device: str
    model: str
    weights: str
    data: str
    n_images: int
    rounds: int
    points_per_side: int
    gemm: Mapping[str, float]
    rows: Sequence[Row]
    ratios: Sequence[Ratio]
    flops: Mapping[str, Flops]
    notes: Sequence[str]
    warnings: Sequence[str]

    def to_json(self) -> str:
        """One JSON object with stable keys."""
        return json.dumps(asdict(self))


def show(report: Report) -> None:
    """Print the report to stdout, its warnings to stderr too."""
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    console.print(_table(report))
    for line in lines(report):
        console.print(line, soft_wrap=True, markup=False)
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)


def lines(report: Report) -> list[str]:
    """What stands below the table."""
    m = report.machine
    gemm = ", ".join(f"{name} {rate / 1e9:,.0f}" for name, rate in report.gemm.items())
    alone = report.benchmark in ("encoder", "decoder")
    units = [
        f"{side}: encoder {f.encoder / 1e9:.1f}, one prompt {f.prompt / 1e9:.2f}"
        for side, f in report.flops.items()
        if not alone
    ]
    timed = f"every batch {report.n_images} times each" if alone else f"{report.n_images} images each"
    return [
        *(_ratio_line(r) for r in report.ratios),
        "",
        *([f"GFLOP: {'; '.join(units)}"] if units else []),
        f"Matrix product, measured peak: {gemm} GFLOP/s",
        f"{m['cpu']}, {m['cores']} cores ({m['isa']}), {m['ram_gb']} GB; {m['system']}"
        + (f"; {m['gpu']}" if "gpu" in m else ""),
        f"commit {report.commit}; " + ", ".join(f"{k} {v}" for k, v in report.versions.items()),
        f"{report.date}; {report.rounds} rounds in turn, {timed}; "
        f"{report.threads} threads; {report.model} ({report.weights}) on {report.device}; {report.data}",
        *(f"- {note}" for note in report.notes),
    ]


def _table(report: Report) -> Table:
    unit = "prompt" if report.benchmark == "decoder" else "image"
    table = Table(
        box=SIMPLE, title=f"{report.benchmark}, samdb beside stock segment_anything", title_justify="left"
    )
    table.add_column("side")
    for name in (
        "batch",
        "encoder",
        "decoder",
        f"s/{unit}: median\n(min-max)",
        f"{unit}s/s",
        "peak MB\n(before model)",
        f"masks\nper {unit}",
        f"GFLOP\nper {unit}",
        "GFLOP/s",
        "share\nof peak",
        "stock masks\nfound",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for r in report.rows:
        s = r.seconds
        table.add_row(
            r.side,
            r.batch or "-",
            r.encoder,
            r.precision,
            f"{s.median:.4g} ({s.min:.4g}-{s.max:.4g})",
            f"{r.per_second:.3g}",
            f"{r.peak_mb:,.0f} ({r.baseline_mb:,.0f})",
            _text(r.masks, ".1f"),
            _text(r.gflop, ",.1f"),
            _text(r.gflop_per_s, ",.0f"),
            _text(r.share_of_peak, ".0%"),
            _text(r.matched, ".0%"),
        )
    return table


def _ratio_line(ratio: Ratio) -> str:
    batch = f", batch {ratio.batch}" if ratio.batch else ""
    return (
        f"{ratio.side}{batch}: {ratio.speed:.2f} x stock's speed "
        f"({ratio.speed_min:.2f}-{ratio.speed_max:.2f} by round; by CPU time {ratio.cpu_time:.2f}), "
        f"{ratio.peak_memory:.2f} x its peak memory"
    )


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
