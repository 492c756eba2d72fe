"""`samdb store status`."""

from __future__ import annotations

from collections import Counter

import typer

from samdb.cli import options, show
from samdb.core.points import CollectionStatus


def register(app: typer.Typer) -> None:
    """Add the command to `samdb store`."""
    app.command()(status)


def status(as_json: options.AsJson = False, store: options.Store = None) -> None:
    """Show what the store holds, how it is spread, and whether its layout is up to date."""
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores.migrate import applied, pending, stored_params

    settings = load_settings(options.overrides(store=store))
    opened = wiring.open_store(settings)
    try:
        found = [opened.status(name) for name in sorted(opened.collections())]
        held, done, waiting = stored_params(opened), applied(opened), pending(opened)
        address = opened.address
    finally:
        opened.close()
    if as_json:
        for row in found:
            _json(row, held.model if held else None, len(waiting))
        return
    show.line(f"store: {address}")
    if not found:
        show.line("empty: samdb ingest PATH")
        return
    show.line(f"model: {held.model if held else 'none yet'}")
    state = "up to date" if not waiting else f"{len(waiting)} behind, run: samdb store migrate"
    show.line(f"migrations: {len(done)} applied, {state}")
    _table(found, wiring.is_server(settings))


def _json(row: CollectionStatus, model: str | None, n_pending: int) -> None:
    show.json_line(
        {
            "collection": row.name,
            "physical_name": row.physical_name,
            "n_points": row.n_points,
            "n_indexed_vectors": row.n_indexed_vectors,
            "disk_bytes": row.disk_bytes,
            "model": model,
            "n_migrations_pending": n_pending,
            "n_vectors": row.n_vectors,
            "indexed_share": row.indexed_share,
            "n_segments": row.n_segments,
            "n_shards": row.n_shards,
            "replicas": [
                {"shard": r.shard_id, "node": r.peer_id, "state": r.state.lower()} for r in row.replicas
            ],
            "optimizer": row.optimizer,
        }
    )


def _table(found: list[CollectionStatus], server: bool) -> None:
    rows = []
    for row in found:
        share = row.indexed_share
        cells = [row.name, f"{row.n_points:,}", "-" if share is None else f"{share:.0%}"]
        cells.append("-" if row.n_segments is None else f"{row.n_segments:,}")
        if server:
            cells += [str(row.n_shards), _copies(row), row.optimizer or "-"]
        # a server does not tell
        cells.append("-" if row.disk_bytes is None else f"{row.disk_bytes / 2**20:.1f} MiB")
        rows.append(cells)
    spread = ("shards", "replicas", "optimizer") if server else ()
    columns = ("collection", "points", "indexed", "segments", *spread, "disk")
    show.table(columns, rows, right=("points", "indexed", "segments", "shards", "disk"))
    if any(row.optimizer == "put off" for row in found):
        show.say(
            "put off: an `ingest --bulk` was killed or is under way; the next `samdb ingest` lets the server "
            "build its indexes again, `samdb store optimize` builds them now"
        )
    away = [row.name for row in found if any(r.state != "Active" for r in row.replicas)]
    if away:
        show.warn(f"not every copy of {', '.join(away)} is active: is a node away?")


def _copies(row: CollectionStatus) -> str:
    """How many copies are in which state, such as `5 active, 1 dead`."""
    states = Counter(r.state.lower() for r in row.replicas)
    return ", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "-"
