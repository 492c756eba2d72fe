"""`samdb weights`: list, pull, verify."""

from __future__ import annotations

from typing import Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar

app = typer.Typer(help="Checkpoints: which there are, and which are here.", no_args_is_help=True)

Model = Annotated[
    str,
    typer.Argument(
        help="vit_t (MobileSAM), vit_b, vit_l, vit_h; efficientnet_lite2 for the recipe semantic."
    ),
]


@app.command("list")
def list_(as_json: options.AsJson = False) -> None:
    """List the checkpoints that samdb knows, and where they are on this machine."""
    from samdb.config import load_settings
    from samdb.sam.weights import list_checkpoints

    found = list_checkpoints(load_settings({}).weights_dir)
    if as_json:
        for row in found:
            path = None if row.path is None else str(row.path)
            show.json_line(
                {
                    "model": row.model,
                    "file": row.file,
                    "size_bytes": row.size_bytes,
                    "licence": row.licence,
                    "path": path,
                }
            )
        return
    rows = [
        [
            row.model,
            row.file,
            f"{row.size_bytes / 2**20:,.0f} MiB",
            row.licence,
            "not here" if row.path is None else str(row.path),
        ]
        for row in found
    ]
    show.table(("model", "file", "size", "licence", "where"), rows, right=("size",))


@app.command()
def pull(model: Model) -> None:
    """Fetch a model's checkpoint, check it, and keep it for all later runs."""
    from samdb.config import load_settings
    from samdb.sam.weights import resolve

    path = resolve(model, None, load_settings({}).weights_dir, DownloadBar())
    show.line(str(path))


@app.command()
def verify(model: Model) -> None:
    """Hash a model's checkpoint again and compare it with the published one."""
    from samdb.config import load_settings
    from samdb.sam import weights

    path = weights.verify(model, None, load_settings({}).weights_dir)
    show.done("the checkpoint is the published one")
    show.line(str(path))
