"""`samdb store`: copy, backup, restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import stage_bar
from samdb.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands to `samdb store`."""
    for command in (copy, backup, restore):
        app.command()(command)


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to copy: a folder or a server.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to: a folder or a server.")],
    to_prefix: Annotated[
        str | None,
        typer.Option(
            "--to-prefix",
            metavar="PREFIX",
            help="The store at TO among several on one server.",
            show_default="$SAMDB_STORE_PREFIX",
        ),
    ] = None,
) -> None:
    """Copy a whole store to another place: embedded to server and back, or server to server.

    Run it again after a stop: it goes on from there. At the end counts, and a sample of vectors and payloads,
    are compared.
    """
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores.copy import copy_store

    there = load_settings({"store": target, "store_prefix": to_prefix})
    here = load_settings({"store": source})
    if source.rstrip("/") == target.rstrip("/") and here.store_prefix == there.store_prefix:
        raise ConfigError("FROM and TO are the same store: give another place to copy to, or a --to-prefix")
    one = wiring.open_store(here)
    try:
        two = wiring.open_store(there)
        try:
            with stage_bar() as tell:
                copied = copy_store(one, two, tell)
        finally:
            two.close()
    finally:
        one.close()
    for row in copied:
        went_on = f", {row.n_resumed:,} of them by an earlier run" if row.n_resumed else ""
        show.say(f"  {row.name}: {row.n_points:,} points{went_on}; {row.n_compared:,} compared")
    show.done(f"copied {sum(row.n_points for row in copied):,} points to {two.address}")


def backup(
    target: Annotated[Path, typer.Argument(metavar="DEST", help="The folder to make; it must not exist.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an older backup at DEST.")] = False,
    store: options.Store = None,
) -> None:
    """Save the whole store in a folder: the files of an embedded one, snapshots of every shard of a server.

    DEST appears when the backup is whole; its manifest.json has the size and SHA-256 of every file. Let
    nothing write to a server meanwhile. Of a cluster, name all nodes with --store.
    """
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores.backup import backup_store

    opened = wiring.open_store(load_settings(options.overrides(store=store)))
    try:
        with stage_bar() as tell:
            saved = backup_store(opened, target, force=force, on_progress=tell)
    finally:
        opened.close()
    for name, collection in sorted(saved.collections.items()):
        show.say(f"  {name}: {collection.n_points:,} points")
    show.done(f"saved {saved.n_points:,} points in {len(saved.files):,} files: {target}")


def restore(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="A folder that `samdb store backup` wrote.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what the store holds.")] = False,
    store: options.Store = None,
) -> None:
    """Make a store what a backup holds. Every file is checked before anything is replaced."""
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores.backup import restore_store

    settings = load_settings(options.overrides(store=store))
    with stage_bar() as tell:
        saved = restore_store(lambda: wiring.open_store(settings), source, force=force, on_progress=tell)
    for name, collection in sorted(saved.collections.items()):
        show.say(f"  {name}: {collection.n_points:,} points")
    show.done(
        f"restored {saved.n_points:,} points, saved {saved.created} by samdb {saved.samdb}: {settings.store}"
    )
