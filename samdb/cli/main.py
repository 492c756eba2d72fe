"""`samdb`: the commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from samdb._version import __version__
from samdb.cli import bank, classify, ingest, search, store, weights
from samdb.cli.show import talk
from samdb.errors import SamdbError

_INTERRUPTED = 130  # what shells give for a process ended by Ctrl-C

app = typer.Typer(
    name="samdb",
    help="Turn a folder of images into a searchable database of Segment Anything segments.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("ingest")(ingest.ingest)
app.add_typer(bank.app, name="bank")
app.command("classify")(classify.classify)
app.command("search")(search.search)
app.add_typer(store.app, name="store")
app.add_typer(weights.app, name="weights")


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Turn a folder of images into a searchable database of Segment Anything segments.

    [bold]samdb ingest[/bold] bdd100k/, [bold]samdb bank build[/bold], [bold]samdb classify[/bold] img.jpg,
    [bold]samdb search[/bold] img.jpg --box 100,200,300,400
    """
    if version:
        typer.echo(f"samdb {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 store."""
    try:
        app()
    except SamdbError as exc:
        talk.print(f"[bold red]error:[/bold red] {_plain(exc)}")
        sys.exit(exc.exit_code)
    except SystemExit as exc:
        # typer turns KeyboardInterrupt (Ctrl-C, and SIGTERM while ingesting) into this code, without a word
        if exc.code == _INTERRUPTED:
            talk.print("stopped; what was stored stays, and the same command goes on from there")
        raise
    except BrokenPipeError:
        # the reader (head, less) has gone: that is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _plain(exc: SamdbError) -> str:
    from rich.markup import escape

    return escape(str(exc))


if __name__ == "__main__":
    main()
