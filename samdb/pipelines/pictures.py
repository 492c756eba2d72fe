"""Pictures of results: the classified image, and the hits of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.sample import Sample
from samdb.datasets.images import read_image
from samdb.errors import ImageError
from samdb.pipelines.classify import ClassifiedImage
from samdb.pipelines.search import SearchHit
from samdb.reports.overlay import OverlayItem, draw_overlay
from samdb.reports.palette import class_color
from samdb.reports.picture_file import Picture, save_png
from samdb.reports.sheet import Tile, draw_sheet


@dataclass(frozen=True, slots=True)
class ShownExample:
    """The example of a search as its contact sheet shows it: where it lies, and what is written below."""

    image: Path
    mask: Rle
    box_xyxy: Box
    caption: str


def write_overlay(image: ClassifiedImage, path: Path) -> Path:
    """Write the photograph with its segments tinted by class, as PNG. Returns `path`.

    Raises ImageError when the photograph is gone, ConfigError when `path` cannot be written.
    """
    return save_png(draw_classified(image), path)


def draw_classified(image: ClassifiedImage, titled: bool = True) -> Picture:
    """The photograph with its segments tinted by class. Raises ImageError when it is gone, ValueError when
    it is of another size by now."""
    items = [
        OverlayItem(
            mask=s.segment.mask,
            box_xyxy=s.segment.box_xyxy,
            label=f"{s.prediction.class_name}?"
            if s.prediction.outcome == "ambiguous"
            else s.prediction.class_name,
            score=None if s.prediction.class_name is None else s.prediction.score,
            color_key=s.prediction.class_name,
        )
        for s in image.segments
    ]
    counts = Counter(i.color_key for i in items if i.color_key is not None)
    title = f"{image.sample.path.name}: {sum(counts.values())} of {len(items)} segments classified"
    return draw_overlay(read_image(image.sample.path), items, counts, title if titled else None)


def write_sheet(
    hits: Sequence[SearchHit], path: Path, example: ShownExample | None = None
) -> list[SearchHit]:
    """Write the contact sheet of a search as PNG: the example, and every hit outlined in its context.

    Returns the hits that are not on it because their image cannot be read any more. Raises ConfigError when
    `path` cannot be written.
    """
    tiles: list[Tile] = []
    left_out: list[SearchHit] = []
    for hit in hits:
        s = hit.segment
        tile = segment_tile(hit.image_path, s.mask, s.box_xyxy, hit_caption(hit), s.class_name, str(hit.rank))
        if tile is None:
            left_out.append(hit)
        else:
            tiles.append(tile)
    first = None
    if example is not None:
        below = ("example", example.caption)
        first = segment_tile(example.image, example.mask, example.box_xyxy, below, None, None)
    title = f"{len(hits)} segment{'' if len(hits) == 1 else 's'} like the example"
    save_png(draw_sheet(tiles, title=title, query_tile=first), path)
    return left_out


def hit_caption(hit: SearchHit) -> tuple[str, ...]:
    """What is written below a hit, in lines."""
    s = hit.segment
    return f"{s.class_name or 'no class'}  {hit.score:.3f}", Path(s.image_id).name, s.granularity


def picture_names(samples: Sequence[Sample]) -> list[Path]:
    """A name for each image's picture, relative to one folder and never the same twice.

    The image's own name where all differ, else also the folders it lies in, else also its own ending.
    """
    flat = [Path(s.path.stem + ".png") for s in samples]
    nested = [Path(s.image_id).with_suffix(".png") for s in samples]
    full = [Path(s.image_id + ".png") for s in samples]
    for names in (flat, nested):
        # some file systems do not tell a.png from A.png
        if len({str(name).casefold() for name in names}) == len(names):
            return names
    return full


def segment_tile(
    path: Path | None,
    mask: Rle,
    box_xyxy: Box,
    caption: tuple[str, ...],
    class_name: str | None,
    badge: str | None,
) -> Tile | None:
    """A segment in its context; None when its image is not there any more, or is another one."""
    if path is None:
        return None
    try:
        pixels = read_image(path)
    except ImageError:
        return None
    if pixels.shape[:2] != mask.size_hw:
        return None
    return Tile(pixels, mask, box_xyxy, caption, class_color(class_name), badge)
