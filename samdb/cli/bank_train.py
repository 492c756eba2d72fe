"""`samdb bank train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from samdb.cli import options, show
from samdb.cli.progress import stage_bar
from samdb.errors import ConfigError

if TYPE_CHECKING:
    from samdb.bank.train_settings import TrainSettings
    from samdb.pipelines.train_bank import TrainBankReport


def train(
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Its name; each training is a new version.")
    ] = "default",
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            metavar="RECIPE",
            help="The embedding to learn from. Repeat it: several are put side by side.",
            show_default="blend",
        ),
    ] = None,
    loss: Annotated[
        Literal["prototypes", "softtriple", "subcenter", "proxyanchor"],
        typer.Option("--loss", help="What training makes small."),
    ] = "prototypes",
    kmeans: Annotated[
        bool, typer.Option("--kmeans", help="KMeans centres of projected vectors, not learned prototypes.")
    ] = False,
    members: Annotated[
        int | None, typer.Option("--members", min=1, help="Networks trained apart that work as one.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Passes over the data.")] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="CLASS", help="Leave a class out. Repeat it.")
    ] = None,
    min_segments: Annotated[
        int, typer.Option("--min-segments", min=1, help="Leave out classes with fewer segments.")
    ] = 1,
    min_area_px: Annotated[
        int, typer.Option("--min-area-px", min=0, help="Leave out segments smaller than this.")
    ] = 0,
    parts: Annotated[bool, typer.Option("--parts/--no-parts", help="Learn from parts too.")] = True,
    background: Annotated[
        bool,
        typer.Option("--background/--no-background", help="Also learn what is no object, if such is stored."),
    ] = True,
    where: options.Filters = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bank.")] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PNG", help="Draw the training curves.")
    ] = None,
    activate: Annotated[
        bool,
        typer.Option("--activate/--no-activate", help="Project all stored segments; classify with it."),
    ] = True,
    store: options.Store = None,
    model: options.Model = None,
) -> None:
    """Train a projection of the stored embeddings, and a bank with it."""
    from samdb import api
    from samdb.bank.train_settings import settings_for
    from samdb.cli.bank import show_new_bank
    from samdb.config import load_settings

    try:
        settings: TrainSettings = settings_for(loss, members=members, epochs=epochs, seed=seed)
    except ValueError as exc:
        raise ConfigError(f"cannot train a bank: {exc}") from exc
    with api.Database(load_settings(options.overrides(store=store, model=model))) as db, stage_bar() as tell:
        report = db.train_bank(
            recipes=tuple(recipe or (api.DEFAULT_RECIPE,)),
            settings=settings,
            name=name,
            kmeans=kmeans,
            min_segments=min_segments,
            min_area_px=min_area_px,
            exclude=exclude or (),
            where=where or (),
            parts=parts,
            background=background,
            activate=activate,
            on_progress=tell,
        )
    show_new_bank(report.bank, asked_for_background=background)
    if plot is not None:
        _draw(report, plot)


def _draw(report: TrainBankReport, path: Path) -> None:
    from samdb.pipelines.notebook_reports import training_curves
    from samdb.reports.training_plot import write_training_plot

    if not report.curves:
        show.warn("No plot was drawn: there are too few images to hold any out.")
        return
    write_training_plot(training_curves(report), path, f"bank {report.bank.card.label}")
    show.done(f"the training curves are in {path}")
