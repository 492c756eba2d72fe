"""`samdb export`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from samdb.cli import options, show
from samdb.cli.progress import stage_bar

if TYPE_CHECKING:
    from samdb.pipelines.export import ExportReport


def export(
    format: Annotated[
        Literal["coco", "bdd100k", "yolo", "voc", "parquet", "fiftyone"],
        typer.Argument(metavar="FORMAT", help="coco, bdd100k (Scalabel), yolo, voc, parquet or fiftyone."),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="A new folder; one file when it ends in .json (coco, bdd100k) or .parquet; for fiftyone the "
            "name of its dataset.",
        ),
    ],
    what: Annotated[
        Literal["segments", "labels", "predictions"],
        typer.Option(
            "--what",
            help="segments: all, with the class they have or none. labels: what the dataset labelled, with "
            "its own boxes. predictions: what a bank says now, one answer per object, with its score.",
        ),
    ] = "segments",
    where: options.Filters = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="SPLIT", help="Only this split, such as train.", show_default="all"),
    ] = None,
    images: Annotated[
        Literal["link", "copy", "none"],
        typer.Option("--images", help="Link to the image files, copy them, or leave them out."),
    ] = "link",
    bank: Annotated[
        str | None,
        typer.Option(
            "--bank",
            metavar="BANK",
            help="For predictions: NAME (its newest) or NAME@VERSION.",
            show_default="the active one",
        ),
    ] = None,
    recipes: Annotated[
        str | None,
        typer.Option(
            "--recipes",
            metavar="A,B",
            help="For parquet: the embeddings to take along.",
            show_default="those that are stored",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export at OUT.")] = False,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Take segments, labels or predictions away, in a format that other tools read.

    OUT appears only when it is whole. What a format cannot hold is said at the end, and why.
    """
    from samdb import api
    from samdb.config import load_settings

    settings = load_settings(options.overrides(store=store, model=model))
    names = None if recipes is None else [part.strip() for part in recipes.split(",") if part.strip()]
    with api.Database(settings) as db, stage_bar() as tell:
        report = db.export(
            format,
            out,
            what=what,
            where=where or (),
            split=split,
            images=images,
            bank=bank,
            recipes=names,
            force=force,
            on_progress=lambda done, total: tell("export", done, total),
        )
    if as_json:
        show.json_line(dataclasses.asdict(report))
    else:
        rows = [[name, f"{n:,}"] for name, n in report.classes.items()]
        show.table(("class", "objects"), rows, right=("objects",))
    _tell(report)


def _tell(report: ExportReport) -> None:
    left_out = [(f"{x.count:,} {x.reason}", f"the first is {x.example}") for x in report.left_out]
    show.problems(left_out, "Not in the export:")
    for note in report.notes:
        show.warn(note)
    show.done(
        f"{report.path}: {report.n_objects:,} {report.what} of {report.n_images:,} images "
        f"({report.format}, {report.seconds:.1f} s)"
    )
