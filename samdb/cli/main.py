"""`samdb`: the commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from samdb._version import __version__
from samdb.cli import (
    audit,
    bank,
    classify,
    discover,
    evaluate,
    export,
    ingest,
    options,
    probe,
    search,
    serve,
    show,
    store,
    weights,
)
from samdb.errors import SamdbError

_INTERRUPTED = 130  # what shells give for a process ended by Ctrl-C

_EXAMPLES = """[bold]Begin with[/bold]

  samdb ingest bdd100k/
  samdb bank build
  samdb classify img.jpg --out pictures/
  samdb search img.jpg --box 100,200,300,400 --out hits.png"""

app = typer.Typer(
    name="samdb",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=_EXAMPLES,
)
app.command("ingest", cls=options.BareRay)(ingest.ingest)
app.add_typer(bank.app, name="bank")
app.command("classify")(classify.classify)
app.command("discover")(discover.discover)
app.command("search")(search.search)
app.command("eval")(evaluate.evaluate)
app.command("probe")(probe.probe)
app.command("audit")(audit.audit)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.add_typer(store.app, name="store")
app.add_typer(weights.app, name="weights")


def _print_version(wanted: bool) -> None:
    if wanted:
        show.line(f"samdb {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Turn a folder of images into a searchable database of Segment Anything segments."""


def main() -> None:
    """Run the command line. Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 store."""
    # torch's idle threads spin instead of sleeping unless this is said before it loads. 24 frames ingested on
    # 2 cores, medians of 3, nothing beside it: 19.5 s (33 CPU-s) spinning, 18.5 s (30) asleep; 12 frames
    # beside another job: 36 s spinning, 13 to 21 s asleep
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        try:
            app(prog_name="samdb")
        finally:
            sys.stdout.flush()  # here, where a reader that has gone can still be dealt with
    except SamdbError as exc:
        show.talk.print("[bold red]error:[/bold red] ", end="")
        show.say(str(exc))
        sys.exit(exc.exit_code)
    except SystemExit as exc:
        # typer turns KeyboardInterrupt (Ctrl-C, and SIGTERM while ingesting) into this code, without a word
        if exc.code == _INTERRUPTED:
            show.say("stopped; what was stored stays, and the same command goes on from there")
        raise
    except BrokenPipeError:
        # the reader (head, less) has gone: that is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
