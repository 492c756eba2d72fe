"""`samdb store`: copy, backup, restore."""

from __future__ import annotations

from typing import Annotated

import typer

from samdb.cli import show
from samdb.cli.progress import stage_bar
from samdb.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands to `samdb store`."""
    app.command()(copy)


def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store to copy: a folder or a server.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to: a folder or a server.")],
) -> None:
    """Copy a whole store to another place: embedded to server and back, or server to server.

    Run it again after a stop: it goes on from there. At the end counts, and a sample of vectors and payloads,
    are compared.
    """
    from samdb import wiring
    from samdb.config import load_settings
    from samdb.stores.copy import copy_store

    if source.rstrip("/") == target.rstrip("/"):
        raise ConfigError("FROM and TO are the same store: give another place to copy to")
    one = wiring.open_store(load_settings({"store": source}))
    try:
        two = wiring.open_store(load_settings({"store": target}))
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
