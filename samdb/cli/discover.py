"""`samdb discover`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show
from samdb.errors import ConfigError

if TYPE_CHECKING:
    from samdb.pipelines.discover import DiscoverReport
    from samdb.ports import VectorStore

_FILE = "clusters.json"
_COLUMNS = ("cluster", "segments", "images", "cohesion", "nearest class", "share")


def discover(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help=f"Write {_FILE} and a contact sheet per cluster there."),
    ] = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="CLUSTER=CLASS",
            help="Name a cluster of --from; can be repeated. `samdb bank build --include-named` learns it.",
        ),
    ] = None,
    origin: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="What --out wrote: the clusters to name."),
    ] = None,
    undo: Annotated[
        str | None, typer.Option("--undo", metavar="CLASS", help="Take a name back from all that got it.")
    ] = None,
    bank: Annotated[
        str | None,
        typer.Option(
            "--bank", metavar="BANK", help="NAME (its newest) or NAME@VERSION.", show_default="the active one"
        ),
    ] = None,
    where: options.Filters = None,
    min_size: Annotated[int, typer.Option("--min-size", min=2, help="Segments that make a cluster.")] = 8,
    similarity: Annotated[
        float, typer.Option("--similarity", min=0.0, max=1.0, help="How alike a cluster must be.")
    ] = 0.5,
    min_area_px: Annotated[
        int, typer.Option("--min-area-px", min=0, help="Leave out segments smaller than this.")
    ] = 1024,
    sample: Annotated[
        int, typer.Option("--sample", min=2, help="Group so many unknown segments at most.")
    ] = 5_000,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Write so many contact sheets at most.")] = 40,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Find candidates for new classes: segments that the bank does not know, in groups that look alike.

    Look at the contact sheets, then name a cluster: its segments get that class, marked as predicted.
    """
    from samdb import api
    from samdb.config import load_settings
    from samdb.core.where import parse_where
    from samdb.pipelines.discover import DiscoverRequest, unname
    from samdb.pipelines.discover import discover as find

    if bool(names) != (origin is not None):
        raise ConfigError("--name and --from go together: --from DIR says which clusters the names are for")
    wanted = [_pair(name) for name in names or ()]
    request = DiscoverRequest(parse_where(where or ()), min_area_px, sample, min_size, similarity)
    with api.Database(load_settings(options.overrides(store=store, model=model))) as db:
        db.check()
        if undo is not None:
            show.done(f"{unname(db.store, undo):,} segments are no {undo} any more")
            return
        if origin is not None:
            _name(db.store, origin, wanted)
            return
        report = find(db.store, db.bank(bank), request)
        _print(report, as_json=as_json)
        if out is not None:
            _write(db.store, report, out, limit)
    many = " (a sample: more with --sample)" if report.n_unknown >= sample else ""
    grouped = sum(len(c.segments) for c in report.clusters)
    show.done(
        f"{report.n_unknown:,} of {report.n_seen:,} unlabelled segments are unknown to "
        f"{report.card.label}{many}; {grouped:,} of them lie in {len(report.clusters):,} clusters"
    )


def _pair(text: str) -> tuple[int, str]:
    number, sign, name = text.partition("=")
    if not sign or not number.strip().isdigit() or not name.strip():
        raise ConfigError(f"--name {text!r}: give CLUSTER=CLASS, such as 3=cone")
    return int(number), name.strip()


def _name(store: VectorStore, origin: Path, wanted: Sequence[tuple[int, str]]) -> None:
    from samdb.pipelines.discover import name_cluster, read_clusters

    clusters = read_clusters(origin / _FILE if origin.is_dir() else origin)
    strangers = [number for number, _ in wanted if number not in clusters]
    if strangers:
        raise ConfigError(f"there is no cluster {strangers[0]} in {origin}: it has 1 to {len(clusters)}")
    for number, name in wanted:
        n = name_cluster(store, clusters[number], name)
        show.done(f"cluster {number}: {n:,} of {len(clusters[number]):,} segments are now {name} (predicted)")
    show.say(
        "`samdb bank build --include-named` learns them; `samdb discover --undo CLASS` takes a name back"
    )


def _print(report: DiscoverReport, *, as_json: bool) -> None:
    for c in report.clusters if as_json else ():
        show.json_line(
            {
                "cluster": c.number,
                "size": len(c.segments),
                "images": c.n_images,
                "cohesion": c.cohesion,
                "nearest_class": c.nearest_class,
                "nearest_share": c.nearest_share,
                "segment_ids": [s.segment_id for s in c.segments],
            }
        )
    if as_json or not report.clusters:
        return
    rows = [
        [
            str(c.number),
            f"{len(c.segments):,}",
            f"{c.n_images:,}",
            f"{c.cohesion:.2f}",
            c.nearest_class or "-",
            f"{c.nearest_share:.0%}",
        ]
        for c in report.clusters
    ]
    show.table(_COLUMNS, rows, right=("cluster", "segments", "images", "cohesion", "share"))


def _write(store: VectorStore, report: DiscoverReport, out: Path, limit: int) -> None:
    from samdb.pipelines.discover import write_clusters
    from samdb.pipelines.discover_pictures import write_cluster_sheet

    write_clusters(report, out / _FILE)
    for cluster in report.clusters[:limit]:
        write_cluster_sheet(store, cluster, out / f"cluster-{cluster.number:02}.png")
    more = f" (the first {limit} of {len(report.clusters)})" if len(report.clusters) > limit else ""
    show.say(f"written: {out / _FILE} and a contact sheet per cluster{more}")
