"""`samdb probe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar
from samdb.errors import ConfigError

if TYPE_CHECKING:
    from samdb.api import Database
    from samdb.core.prompt import Prompt
    from samdb.pipelines.probe import ProbeReport, SimilarityPicture


def probe(
    image: Annotated[
        Path | None,
        typer.Argument(
            help="Also show where this image looks like what lies at --point or --box.", show_default=False
        ),
    ] = None,
    box: Annotated[
        str | None, typer.Option("--box", metavar="X0,Y0,X1,Y1", help="The object in this box of IMAGE.")
    ] = None,
    point: Annotated[
        str | None, typer.Option("--point", metavar="X,Y", help="The object at this point of IMAGE.")
    ] = None,
    where: options.Filters = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="The embedding to look at.", show_default="blend"),
    ] = None,
    colour: Annotated[
        str,
        typer.Option(
            "--colour",
            "--color",
            metavar="KEY",
            help="What colours the map: class_name, timeofday, weather, scene, granularity, split, dataset.",
        ),
    ] = "class_name",
    sample: Annotated[
        int,
        typer.Option("--sample", min=2, help="Look at so many segments at most; rare classes come first."),
    ] = 4000,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write probe.html, probe.json and pictures.")
    ] = Path("probe"),
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    runtime: options.Runtime = None,
) -> None:
    """Make the latent space visible: how far classes lie apart, parts from wholes, and a map of it all."""
    from samdb import api
    from samdb.config import load_settings
    from samdb.core.where import parse_where
    from samdb.pipelines.probe import ProbeRequest
    from samdb.pipelines.probe import probe as run_probe
    from samdb.pipelines.probe_files import probe_record, write_probe

    settings = load_settings(
        options.overrides(store=store, model=model, device=device, precision=precision, runtime=runtime)
    )
    prompt = _prompt(image, box, point)
    request = ProbeRequest(recipe or api.DEFAULT_RECIPE, parse_where(where or ()), colour, sample)
    with api.Database(settings, DownloadBar()) as db:
        db.check()
        report = run_probe(db.store, request)
        picture = None if image is None or prompt is None else _picture(db, image, prompt)
    if as_json:
        show.json_line(probe_record(report))
    else:
        _print(report)
    write_probe(report, out, picture)
    if report.n_segments < report.n_stored:
        show.say(f"a sample: {report.n_segments:,} of {report.n_stored:,} segments; more with --sample")
    show.done(f"written: {out / 'probe.html'}")


def _prompt(image: Path | None, box: str | None, point: str | None) -> Prompt | None:
    from samdb.cli.examples import read_examples

    given = [text for text in (box, point) if text is not None]
    if image is None and not given:
        return None
    if image is None or len(given) != 1:
        raise ConfigError("for the similarity map give an IMAGE and one of --point X,Y or --box X0,Y0,X1,Y1")
    return read_examples([box] if box else [], [point] if point else [], [], []).prompts[0]


def _picture(db: Database, image: Path, prompt: Prompt) -> SimilarityPicture:
    from samdb.datasets.images import read_image
    from samdb.pipelines.probe import similarity_picture

    return similarity_picture(db.segmenter, read_image(image), prompt)


def _print(report: ProbeReport) -> None:
    rows = [
        [c.class_name, f"{c.n_segments:,}", *(_cell(v) for v in (c.within.median, c.between.median, c.auroc))]
        for c in sorted(report.pairs.classes, key=lambda c: -c.n_segments)
    ]
    pairs, parts = report.pairs, report.whole_part
    totals = (pairs.within.median, pairs.between.median, pairs.auroc)
    rows.append(["all", f"{report.n_segments:,}", *(_cell(v) for v in totals)])
    numbers = ("segments", "within", "to others", "AUROC")
    show.table(("class", *numbers), rows, right=numbers)
    show.say("median cosines of pairs in different images; AUROC: how often a pair of one class is closer")
    if parts is not None:
        show.say(
            f"{parts.n:,} parts: median cosine {_cell(parts.own.median)} to their own whole, "
            f"{_cell(parts.same_class.median)} to others of the class, "
            f"{_cell(parts.other_class.median)} to other classes"
        )


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
