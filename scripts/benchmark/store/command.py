"""`scripts/bench store`: build and ask a store of many segments, samdb's own and its peers, in turn."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from samdb.core.tuning import parse_tuning
from samdb.errors import ConfigError, SamdbError
from scripts.benchmark.machine import commit, load_average, machine
from scripts.benchmark.store import processes
from scripts.benchmark.store.engines import ENGINES
from scripts.benchmark.store.plan import Built, Filtered, Served, StorePlan
from scripts.benchmark.store.points import Points, Seeds, choose_class
from scripts.benchmark.store.report import Row, StoreReport, show, versions
from scripts.benchmark.store.seeds import FEW, seeds_of

#: shares of the points that the two filters should keep
_SHARES = (0.01, 0.3)

#: runs a plan in a process and gives its answer
Start = Callable[[StorePlan], Any]


def main(arguments: Sequence[str] | None = None, start: Start = processes.start) -> int:
    """Run the benchmark and print it."""
    options = parser().parse_args(arguments)
    try:
        report = run(options, start)
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    if options.json:
        print(report.to_json())
    else:
        show(report)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="scripts/bench store", description=__doc__)
    made.add_argument("--points", type=int, default=100_000, help="how many segments (default 100000)")
    made.add_argument("--engines", default=",".join(ENGINES), help=f"of {','.join(ENGINES)} (default all)")
    made.add_argument(
        "--store",
        type=Path,
        help="an embedded store of real segments (default: the demo's photographs)",
    )
    made.add_argument("--recipe", default="blend", help="the embedding (default blend, of 576 numbers)")
    made.add_argument("--queries", type=int, default=300, help="questions of each kind (default 300)")
    made.add_argument("--seed", type=int, default=0, help="another number makes other points")
    made.add_argument("--folder", type=Path, help="keep what is built here (default: a temporary folder)")
    made.add_argument(
        "--server", default="", help="a Qdrant server of this machine, such as http://localhost:6333"
    )
    made.add_argument(
        "--tuning", default="", help="how samdb's stores are laid out, such as on_disk_vectors=yes"
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def run(options: argparse.Namespace, start: Start) -> StoreReport:
    """Do all of it. Raises SamdbError when the options cannot be used; an engine that fails is told of."""
    engines = [name for name in str(options.engines).split(",") if name]
    unknown = [name for name in engines if name not in ENGINES]
    if unknown or not engines:
        raise ConfigError(f"--engines {options.engines!r}: choose from {', '.join(ENGINES)}")
    if options.points < 100 or options.queries < 1:
        raise ConfigError("--points must be at least 100 and --queries at least 1")
    parse_tuning(options.tuning)  # a slip of the pen is told of now, not when the points are made
    load_before, measured_commit = load_average(), commit()
    seeds, model = seeds_of(options.store, options.recipe)
    points = Points.of(seeds, options.points, options.seed)
    classes = points.classes()
    filters = tuple(dict.fromkeys(choose_class(classes, share)[0] for share in _SHARES))
    rows: list[Row] = []
    left_out: list[str] = []
    with _folder(options.folder) as folder:
        seeds.save(folder)
        plan = StorePlan(
            "truth",
            "",
            str(folder),
            "",
            options.points,
            options.queries,
            10,
            options.recipe,
            model,
            filters,
            options.seed,
            tuning=options.tuning,
        )
        _tell(f"the exact answers to {options.queries} questions among {options.points:,} points")
        start(plan)
        for engine in engines:
            place = folder / engine
            shutil.rmtree(place, ignore_errors=True)
            try:
                with _server(engine, options.server, folder) as address:
                    of_engine = replace(plan, engine=engine, place=str(place), server=address)
                    _tell(f"{engine}: building")
                    built = Built(**start(replace(of_engine, task="build")))
                    _tell(f"{engine}: built in {built.load_s + built.index_s:.0f} s, asking")
                    rows += [Row(built, _served(s)) for s in start(replace(of_engine, task="serve"))]
            except SamdbError as exc:
                left_out.append(str(exc))
                _tell(f"left out: {exc}")
            if options.folder is None:
                shutil.rmtree(place, ignore_errors=True)
    return StoreReport(
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        commit=measured_commit,
        machine=machine(),
        versions=versions(),
        n=options.points,
        dim=seeds.vectors.shape[1],
        recipe=options.recipe,
        n_seeds=len(seeds.vectors),
        queries=options.queries,
        seed=options.seed,
        rows=rows,
        left_out=left_out,
        warnings=_warnings(load_before, seeds),
    )


def _served(answer: Any) -> Served:
    return Served(**{**answer, "filtered": tuple(Filtered(**row) for row in answer["filtered"])})


def _warnings(load_before: float | None, seeds: Seeds) -> list[str]:
    said = []
    if load_before is not None and load_before > 0.5:
        said.append(f"the load average was {load_before:.1f} at the start: other jobs are running")
    if len(seeds.vectors) < FEW:
        said.append(f"made from {len(seeds.vectors)} real segments only: give a --store with {FEW:,} or more")
    return said


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="samdb-bench-") as made:
        yield Path(made)


@contextmanager
def _server(engine: str, address: str, folder: Path) -> Iterator[str]:
    """The server's address: the one given, or one that is started for the occasion (as in the tests)."""
    if engine != "server" or address:
        yield address
        return
    from tests.stores.qdrant_server import NoServerError, QdrantServer

    server = QdrantServer(folder / "server" / "qdrant")
    try:
        server.start()
    except NoServerError as exc:
        raise ConfigError(f"server: {exc}; or give --server http://localhost:6333") from exc
    try:
        yield server.url
    finally:
        server.stop()


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
