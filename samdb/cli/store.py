"""`samdb store`: migrate, optimize; its other commands are in the files beside."""

from __future__ import annotations

from typing import Annotated

import typer

from samdb.cli import options, show, store_move, store_status
from samdb.cli.progress import stage_bar

app = typer.Typer(help="The store: what is in it, and its layout.", no_args_is_help=True)
store_status.register(app)
store_move.register(app)


@app.command()
def migrate(
    tuning: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change how the store is laid out, such as shards=3, replicas=2, write_consistency=1, "
            "on_disk_vectors=yes, on_disk_payload=yes, quantization=int8|binary|none, hnsw_m=16, "
            "hnsw_ef_construct=100, hnsw_on_disk=no or full_scan_kb=10000. Repeat it, or put commas between.",
            show_default="$SAMDB_TUNING, else as the store has it",
        ),
    ] = None,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Bring the store's layout up to date; a new store is laid out for --model.

    On a server most settings change in place. Another number of shards takes a copy of the collection behind
    its name: nothing may write to the store meanwhile, and when it is stopped the same command goes on.
    """
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores import migrate as runner

    chosen = None if tuning is None else ",".join(tuning)
    settings = load_settings(options.overrides(store=store, model=model, tuning=chosen))
    wanted = wiring.tuning(settings)
    opened = wiring.open_store(settings)
    try:
        settings = wiring.with_model(settings, opened)
        with stage_bar() as tell:
            done = runner.migrate(opened, wiring.layout_params(settings), tuning=wanted, on_progress=tell)
    finally:
        opened.close()
    for name in done:
        show.say(f"applied {name}")
    show.done("the store is up to date")


@app.command()
def optimize(store: options.Store = None) -> None:
    """Build the vector indexes now and wait for them; without them an embedded store scans.

    It also finishes an `ingest --bulk` that was killed.
    """
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores.layout import META
    from samdb.stores.migrate import check_layout

    opened = wiring.open_store(load_settings(options.overrides(store=store)))
    try:
        check_layout(opened)
        names = [name for name in sorted(opened.collections()) if name != META]
        with stage_bar() as tell:
            for name in names:
                opened.optimize(name, tell)
    finally:
        opened.close()
    show.done("the indexes are built" if names else "the store is empty: samdb ingest PATH")
