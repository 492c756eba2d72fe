"""`samdb eval`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar, ingest_bar, stage_bar

if TYPE_CHECKING:
    from samdb.api import Database
    from samdb.pipelines.evaluate_report import EvalReport, EvalSettings


def evaluate(
    path: Annotated[
        Path | None,
        typer.Argument(
            help="A dataset to ingest first, unless the store has it.", show_default="what is in the store"
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe", metavar="RECIPE", help="The embedding whose bank is judged.", show_default="blend"
        ),
    ] = None,
    bank: Annotated[
        list[str] | None,
        typer.Option(
            "--bank", metavar="BANK", help="Compare a published bank, NAME or NAME@VERSION, too. Repeat it."
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", metavar="NAME", help="Which one, if the store holds several."),
    ] = None,
    train_split: Annotated[
        str, typer.Option("--train-split", metavar="SPLIT", help="What is learned from.")
    ] = "train",
    val_split: Annotated[
        str,
        typer.Option(
            "--val-split",
            metavar="SPLIT",
            help="What is judged by. A dataset with one split is split by the hash of its images' names.",
        ),
    ] = "val",
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", metavar="A,B", help="Judge these.", show_default="those with at least 20 boxes"
        ),
    ] = None,
    min_box_px2: Annotated[
        float, typer.Option("--min-box-px2", min=0, help="Leave out boxes and automatic masks below this.")
    ] = 1024,
    open_set: Annotated[
        str,
        typer.Option(
            "--open-set", metavar="A,B", help="Classes to hide, to see whether they are taken for others."
        ),
    ] = "bus,rider,motorcycle",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How often everything is repeated.")] = 3,
    parts: Annotated[
        bool, typer.Option("--parts/--no-parts", help="Let the bank learn from parts too, as `bank build`.")
    ] = True,
    whiten: Annotated[
        bool, typer.Option("--whiten", help="Compare the bank of `bank build --whiten`, too.")
    ] = False,
    train: Annotated[
        bool,
        typer.Option("--train", help="Compare the bank of `bank train`, too: trained anew in every seed."),
    ] = False,
    train_recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--train-recipe",
            metavar="RECIPE",
            help="What --train learns from. Repeat it: several are put side by side.",
            show_default="--recipe",
        ),
    ] = None,
    prompts: Annotated[
        Literal["labels", "both"],
        typer.Option("--prompts", help="How PATH is cut: both adds automatic masks, and takes much longer."),
    ] = "labels",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write eval.json and the plots (PNG) into this folder."),
    ] = None,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    runtime: options.Runtime = None,
    automatic: options.Automatic = None,
    points_per_side: options.PointsPerSide = None,
    crop_layers: options.CropLayers = None,
) -> None:
    """Measure banks on images they have not seen, beside the prior work's and chance.

    Labelled boxes, search, classes that were hidden, and automatic masks where they are stored; every figure
    over several seeds. The store is only read.
    """
    from samdb import api
    from samdb.config import load_settings
    from samdb.pipelines.evaluate import evaluate as run
    from samdb.pipelines.evaluate_report import EvalSettings, report_record

    settings = load_settings(
        options.overrides(
            store=store,
            model=model,
            device=device,
            precision=precision,
            runtime=runtime,
            automatic=automatic,
            points_per_side=points_per_side,
            crop_layers=crop_layers,
        )
    )
    asked = EvalSettings(
        recipe=recipe or api.DEFAULT_RECIPE,
        dataset=dataset,
        train_split=train_split,
        val_split=val_split,
        classes=_names(classes),
        min_box_px2=min_box_px2,
        open_set=_names(open_set),
        banks=tuple(bank or ()),
        parts=parts,
        whiten=whiten,
        train=train,
        train_recipes=tuple(dict.fromkeys(train_recipe or ())),
        seeds=seeds,
    )
    with api.Database(settings, DownloadBar()) as db:
        if path is not None:
            asked = _ingested(db, path, asked, prompts)
        db.check()
        with stage_bar() as tell:
            report = run(db.store, asked, tell)
    record = report_record(report, datetime.now(timezone.utc).isoformat(timespec="seconds"))
    if as_json:
        show.json_line(record)
    else:
        _print(report)
    if out is not None:
        from samdb.pipelines.evaluate_plots import write_report

        for file in write_report(report, record, out):
            show.say(f"written: {file}")


def _ingested(
    db: Database, path: Path, asked: EvalSettings, prompts: Literal["labels", "both"]
) -> EvalSettings:
    """Ingest the splits of the dataset that the store lacks."""
    from dataclasses import replace

    from samdb import wiring
    from samdb.pipelines.evaluate_data import stored_splits
    from samdb.pipelines.evaluate_material import PRIOR_RECIPE

    dataset = wiring.open_dataset(path, name=asked.dataset)
    splits = {row.split for row in dataset.summary()}
    wanted = {asked.train_split, asked.val_split}
    db.prepare()
    missing = sorted((wanted if wanted <= splits else splits) - stored_splits(db.store, dataset.name))
    for split in missing:
        _ = db.segmenter
        show.say(f"{dataset.name}: ingest {split or 'all'}")
        with ingest_bar() as tell:
            done = db.ingest(
                dataset,
                split=split,
                prompts=prompts,
                recipes=tuple(dict.fromkeys((asked.recipe, PRIOR_RECIPE, *asked.train_recipes))),
                on_progress=tell,
            )
        show.problems([(p.image_id, p.reason) for p in done.quarantined], "Images left out:")
    return replace(asked, dataset=dataset.name)


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def _print(report: EvalReport) -> None:
    from samdb.pipelines.evaluate_table import table_rows

    counts = report.counts
    show.say(
        f"{report.dataset}: learned from {counts['train_images']:,} images ({counts['train_segments']:,} "
        f"segments), judged by {counts['val_boxes']:,} boxes of {counts['val_images']:,} others and "
        f"{counts['automatic_masks']:,} automatic masks of {counts['automatic_images']:,}; "
        f"{report.settings.seeds} seeds, mean ± standard deviation"
    )
    columns, rows = table_rows(report)
    show.table(columns, rows, right=columns[1:])
    for note in report.notes:
        show.warn(note)
    for part in dict.fromkeys(part for m in report.methods for part in m.skipped):
        reasons = {m.skipped[part] for m in report.methods if part in m.skipped}
        for reason in sorted(reasons):
            who = [m.name for m in report.methods if m.skipped.get(part) == reason]
            whose = "" if len(who) == len(report.methods) else f" of {', '.join(who)}"
            show.warn(f"skipped: {part.replace('_', ' ')}{whose}: {reason}")
    show.done(f"{len(report.methods)} methods in {report.seconds:.0f} s")
