"""`samdb serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar
from samdb.errors import ConfigError


def serve(
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="Where to listen. Beyond this machine (such as 0.0.0.0) a key is needed.",
            show_default="$SAMDB_SERVE_HOST or 127.0.0.1",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="PORT", help="Its port; 0: any.", show_default="$SAMDB_SERVE_PORT or 8080"
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            help="The key that clients must show; the variable hides it from other users' `ps`.",
            show_default="$SAMDB_SERVE_API_KEY",
        ),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    runtime: options.Runtime = None,
) -> None:
    """Serve a store over HTTP: a page to look, search and label on, and the API behind it.

    Ctrl-C ends it. /openapi.json describes the API. Segment Anything is loaded when it is first needed.
    """
    from samdb import api
    from samdb.config import load_settings

    try:
        from samdb.server.options import ServeOptions
        from samdb.server.serve import serve as run
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.split(".")[0] == "samdb":
            raise
        raise ConfigError(
            f"the server needs {exc.name}, which is not installed: pip install 'samdb[server]'"
        ) from exc
    made = options.overrides(store=store, model=model, device=device, precision=precision, runtime=runtime)
    chosen = {"serve_host": host, "serve_port": port, "serve_api_key": api_key}
    settings = load_settings({**made, **chosen})
    limits = ServeOptions.of(settings)
    run(
        api.Database(settings, DownloadBar()),
        limits,
        settings.serve_port,
        lambda address: show.line(f"samdb is at {address} (Ctrl-C ends it)"),
        open_browser,
    )
    show.done("stopped")
