"""`samdb search`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar
from samdb.core.points import PayloadValue
from samdb.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from samdb.api import Database
    from samdb.core.boxes import Box
    from samdb.core.masks import Rle
    from samdb.core.prompt import Prompt
    from samdb.pipelines.search import Example, SearchHit
    from samdb.reports.sheet import Tile

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class _Examples:
    """The examples of a search, and the first as a picture."""

    positives: tuple[Example, ...]
    negatives: tuple[Example, ...]
    tile: Tile | None


def search(
    image: Annotated[
        Path | None,
        typer.Argument(help="The image that the examples lie on.", show_default=False),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option("--box", metavar="X0,Y0,X1,Y1", help="An example: what lies in it."),
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option("--point", metavar="X,Y", help="An example: what is at this point.")
    ] = None,
    mask: Annotated[
        list[Path] | None, typer.Option("--mask", metavar="FILE", help="An example: a PNG mask, not black.")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option("--segment", metavar="ID", help="An example: a stored segment.")
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option("--not", metavar="EXAMPLE", help="A counter-example: a segment id, X0,Y0,X1,Y1 or X,Y."),
    ] = None,
    where: options.Filters = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="The embedding to compare.", show_default="blend")
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
) -> None:
    """Find segments like an example. Every example option can be repeated.

    The example lies on any IMAGE, stored or not, or is a stored segment.
    """
    from samdb import api
    from samdb.config import load_settings

    settings = load_settings(options.overrides(store=store, model=model, device=device, precision=precision))
    ids = list(segment or [])
    prompts = [_box(b) for b in box or []] + [_point(p) for p in point or []] + [_mask(m) for m in mask or []]
    if not ids and not prompts:
        raise ConfigError("give an example: --segment ID, or an IMAGE with --box, --point or --mask")
    not_ids = [text for text in unlike or [] if _ID.fullmatch(text)]
    not_prompts = [_box_or_point(text) for text in unlike or [] if not _ID.fullmatch(text)]
    if (prompts or not_prompts) and image is None:
        raise ConfigError("--box, --point and --mask need the IMAGE that they lie on")
    name = recipe or api.DEFAULT_RECIPE
    with api.Database(settings) as db:
        db.check()
        examples = _examples(db, image, (ids, prompts), (not_ids, not_prompts), name)
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
    if out is not None:
        _draw(hits, examples.tile, out)


def _examples(
    db: Database,
    image: Path | None,
    wanted: tuple[list[str], list[Prompt]],
    unwanted: tuple[list[str], list[Prompt]],
    recipe: str,
) -> _Examples:
    """Examples from ids and prompts; the image is encoded once for all its prompts."""
    from samdb import wiring
    from samdb.pipelines.search import image_paths

    (ids, prompts), (not_ids, not_prompts) = wanted, unwanted
    stored = [db.stored(i, recipe) for i in ids]
    positives, negatives = [e for e, _ in stored], [db.stored(i, recipe)[0] for i in not_ids]
    tile: Tile | None = None
    if stored:
        first = stored[0][1]
        path = image_paths(db.store, [first]).get((first.dataset, first.image_id))
        tile = _tile(path, first.mask, first.box_xyxy, ("example", first.class_name or "no class"))
    if image is not None and (prompts or not_prompts):
        db.segmenter = wiring.load_segmenter(db.settings, DownloadBar())
        found = db.examples(image, [*prompts, *not_prompts], recipe)
        positives += [e for e, _ in found[: len(prompts)]]
        negatives += [e for e, _ in found[len(prompts) :]]
        if tile is None and prompts:
            tile = _tile(image, found[0][1].mask, found[0][1].box_xyxy, ("example", image.name))
    return _Examples(tuple(positives), tuple(negatives), tile)


def _print(hits: list[SearchHit], *, as_json: bool) -> None:
    if as_json:
        for hit in hits:
            show.json_line(_record(hit))
        return
    if not hits:
        show.talk.print("nothing was found")
        return
    rows = [
        [
            str(hit.rank),
            f"{hit.score:.3f}",
            hit.segment.class_name or "-",
            hit.segment.granularity,
            ",".join(f"{v:.0f}" for v in hit.segment.box_xyxy),
            hit.segment.image_id,
            hit.segment.segment_id,
        ]
        for hit in hits
    ]
    columns = ("rank", "score", "class", "granularity", "box", "image", "segment")
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


def _draw(hits: list[SearchHit], query: Tile | None, path: Path) -> None:
    from samdb.reports.picture_file import save_png
    from samdb.reports.sheet import draw_sheet

    tiles = []
    for hit in hits:
        s = hit.segment
        caption = (f"{s.class_name or 'no class'}  {hit.score:.3f}", Path(s.image_id).name, s.granularity)
        tile = _tile(hit.image_path, s.mask, s.box_xyxy, caption, badge=str(hit.rank), color=s.class_name)
        if tile is None:
            show.talk.print(f"{hit.image_path or s.image_id} cannot be read: no picture of rank {hit.rank}")
        else:
            tiles.append(tile)
    title = f"{len(hits)} segments like the example"
    show.talk.print(
        f"picture: {save_png(draw_sheet(tiles, title=title, query_tile=query), path)}", markup=False
    )


def _tile(
    path: Path | None,
    mask: Rle,
    box_xyxy: Box,
    caption: tuple[str, ...],
    *,
    badge: str | None = None,
    color: str | None = None,
) -> Tile | None:
    """A segment in its context; None when its image is not there any more."""
    from samdb.datasets.images import read_image
    from samdb.reports.palette import class_color
    from samdb.reports.sheet import Tile

    if path is None:
        return None
    try:
        pixels = read_image(path)
    except ImageError:
        return None
    return Tile(pixels, mask, box_xyxy, caption, class_color(color), badge)


def _box(text: str) -> Prompt:
    from samdb.core.prompt import Prompt

    x0, y0, x1, y1 = _numbers(text, 4, "--box", "X0,Y0,X1,Y1")
    return Prompt(box_xyxy=(x0, y0, x1, y1))


def _point(text: str) -> Prompt:
    from samdb.core.prompt import Prompt

    x, y = _numbers(text, 2, "--point", "X,Y")
    return Prompt(points_xy=((x, y),), foreground=(True,))


def _box_or_point(text: str) -> Prompt:
    return _point(text) if text.count(",") == 1 else _box(text)


def _mask(path: Path) -> Prompt:
    from samdb.core.masks import Rle
    from samdb.core.prompt import Prompt
    from samdb.datasets.images import read_image

    mask = Rle.encode(read_image(path).max(axis=2) > 0)
    if mask.area_px == 0:
        raise ConfigError(f"--mask {path}: the mask is all black; paint the object in any other colour")
    return Prompt(mask=mask)


def _numbers(text: str, n: int, option: str, form: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != n:
        raise ConfigError(f"{option} {text!r}: write {form} in pixels of the image")
    return values
