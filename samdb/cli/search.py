"""`samdb search`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar
from samdb.core.points import PayloadValue
from samdb.errors import ConfigError

if TYPE_CHECKING:
    from samdb.api import Database
    from samdb.cli.examples import Wanted
    from samdb.pipelines.examples import Example
    from samdb.pipelines.pictures import ShownExample
    from samdb.pipelines.search import SearchHit


@dataclass(frozen=True, slots=True)
class _Examples:
    """The examples of a search, and the first of them as the contact sheet shows it."""

    positives: tuple[Example, ...]
    negatives: tuple[Example, ...]
    shown: ShownExample | None


def search(
    image: Annotated[
        Path | None,
        typer.Argument(help="The image that the examples lie on, stored or not.", show_default=False),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option("--box", metavar="X0,Y0,X1,Y1", help="An example: what lies in this box."),
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option("--point", metavar="X,Y", help="An example: what is at this point.")
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            "--mask",
            metavar="FILE",
            help="An example: what a picture of the image's size marks, in any colour but black.",
        ),
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", metavar="ID", help="An example: a stored segment.")
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(
            "--not", metavar="EXAMPLE", help="Not like this: a segment id, X0,Y0,X1,Y1, X,Y or a mask file."
        ),
    ] = None,
    where: options.Filters = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="RECIPE", help="The embedding to compare.", show_default="blend"),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many hits.")] = 20,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Skip so many: the next page.")] = 0,
    per_image: Annotated[
        int | None, typer.Option("--per-image", min=1, help="At most so many hits of one image.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="PNG", help="Write a contact sheet of the hits.")
    ] = None,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    runtime: options.Runtime = None,
) -> None:
    """Find segments like an example: a stored segment, or what lies in an image at a box, point or mask.

    The example options and --not can be repeated: a hit is like any of them, and like none of --not.
    The example itself is never among the hits, even when its image is stored.
    """
    from samdb import api
    from samdb.cli.examples import read_counter_examples, read_examples
    from samdb.config import load_settings
    from samdb.core.where import parse_where

    settings = load_settings(
        options.overrides(store=store, model=model, device=device, precision=precision, runtime=runtime)
    )
    wanted = read_examples(box or (), point or (), mask or (), segment or ())
    unwanted = read_counter_examples(unlike or ())
    if not wanted.ids and not wanted.prompts:
        raise ConfigError("give an example: --segment ID, or an IMAGE with --box, --point or --mask")
    if (wanted.prompts or unwanted.prompts) and image is None:
        raise ConfigError("--box, --point and --mask need the IMAGE that they lie on")
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: the contact sheet is a PNG file, name it {out.stem}.png")
    parse_where(where or ())  # a slip of the pen need not wait for SAM
    name = recipe or api.DEFAULT_RECIPE
    with api.Database(settings, DownloadBar()) as db:
        examples = _examples(db, image, wanted, unwanted, name)
        hits = db.search(
            positives=examples.positives,
            negatives=examples.negatives,
            where=where or (),
            recipe=name,
            limit=limit,
            offset=offset,
            per_image=per_image,
        )
        _print(hits, as_json=as_json)
        if not hits:
            show.say("nothing more was found" if offset else "nothing was found")
            for reason in db.why_nothing(examples.positives[0], where=where or (), recipe=name):
                show.warn(reason)
    if out is not None:
        _draw(hits, examples.shown, out)


def _examples(db: Database, image: Path | None, wanted: Wanted, unwanted: Wanted, recipe: str) -> _Examples:
    """Examples from ids and prompts; the image is encoded once for all its prompts."""
    from samdb.pipelines.pictures import ShownExample
    from samdb.pipelines.search import image_paths

    stored = [db.stored(i, recipe) for i in wanted.ids]
    positives, negatives = [e for e, _ in stored], [db.stored(i, recipe)[0] for i in unwanted.ids]
    shown: ShownExample | None = None
    if stored:
        first = stored[0][1]
        path = image_paths(db.store, [first]).get((first.dataset, first.image_id))
        if path is not None:
            shown = ShownExample(path, first.mask, first.box_xyxy, first.class_name or "no class")
    if image is not None and (wanted.prompts or unwanted.prompts):
        found = db.examples(image, [*wanted.prompts, *unwanted.prompts], recipe)
        n = len(wanted.prompts)
        positives += [e for e, _ in found[:n]]
        negatives += [e for e, _ in found[n:]]
        if shown is None and n:
            candidate = found[0][1]
            shown = ShownExample(image, candidate.mask, candidate.box_xyxy, image.name)
    return _Examples(tuple(positives), tuple(negatives), shown)


def _print(hits: list[SearchHit], *, as_json: bool) -> None:
    if as_json:
        for hit in hits:
            show.json_line(_record(hit))
        return
    if not hits:
        return
    rows = [
        [
            str(hit.rank),
            f"{hit.score:.3f}",
            hit.segment.class_name or "-",
            hit.segment.granularity,
            ",".join(f"{v:.0f}" for v in hit.segment.box_xyxy),
            hit.segment.segment_id,
            hit.segment.image_id,
        ]
        for hit in hits
    ]
    columns = ("rank", "score", "class", "granularity", "box", "segment", "image")
    show.table(columns, rows, right=("rank", "score"))


def _record(hit: SearchHit) -> dict[str, PayloadValue]:
    return {
        "rank": hit.rank,
        "score": hit.score,
        "segment_id": hit.segment.segment_id,
        "image": hit.segment.image_id if hit.image_path is None else str(hit.image_path),
        "image_id": hit.segment.image_id,
        "dataset": hit.segment.dataset,
        "box_xyxy": list(hit.segment.box_xyxy),
        "class_name": hit.segment.class_name,
        "granularity": hit.segment.granularity,
    }


def _draw(hits: list[SearchHit], example: ShownExample | None, path: Path) -> None:
    from samdb.pipelines.pictures import write_sheet

    left_out = write_sheet(hits, path, example)
    gone = [
        (f"rank {h.rank}", f"{h.image_path or h.segment.image_id} is not there any more") for h in left_out
    ]
    show.problems(gone, "Not on the picture:")
    show.say(f"picture: {path}")
