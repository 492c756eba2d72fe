"""`samdb store`: status, migrate."""

from __future__ import annotations

import typer

from samdb.cli import options, show

app = typer.Typer(help="The store: what is in it, and its layout.", no_args_is_help=True)


@app.command()
def status(as_json: options.AsJson = False, store: options.Store = None) -> None:
    """Show what the store holds, and whether its layout is up to date."""
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
            show.json_line(
                {
                    "collection": row.name,
                    "physical_name": row.physical_name,
                    "n_points": row.n_points,
                    "n_indexed_vectors": row.n_indexed_vectors,
                    "disk_bytes": row.disk_bytes,
                    "model": held.model if held else None,
                    "n_migrations_pending": len(waiting),
                }
            )
        return
    show.line(f"store: {address}")
    if not found:
        show.line("empty: samdb ingest PATH")
        return
    show.line(f"model: {held.model if held else 'none yet'}")
    state = "up to date" if not waiting else f"{len(waiting)} behind, run: samdb store migrate"
    show.line(f"migrations: {len(done)} applied, {state}")
    rows = [
        [
            row.name,
            f"{row.n_points:,}",
            f"{row.n_indexed_vectors:,}",
            "-" if row.disk_bytes is None else f"{row.disk_bytes / 2**20:.1f} MiB",
        ]
        for row in found
    ]
    numbers = ("points", "indexed vectors", "disk")
    show.table(("collection", *numbers), rows, right=numbers)


@app.command()
def migrate(store: options.Store = None, model: options.Model = None) -> None:
    """Bring the store's layout up to date; a new store is laid out for --model."""
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores import migrate as runner

    settings = load_settings(options.overrides(store=store, model=model))
    opened = wiring.open_store(settings)
    try:
        settings = wiring.with_model(settings, opened)
        done = runner.migrate(opened, wiring.layout_params(settings))
    finally:
        opened.close()
    for name in done:
        show.say(f"applied {name}")
    show.done("the store is up to date")
