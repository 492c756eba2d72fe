"""How results with pictures show themselves in a notebook: the hits of a search, a classified image."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from samdb.datasets.images import read_image
from samdb.errors import ImageError
from samdb.pipelines.classify import ClassifiedImage, ClassifiedSegment, answer_order, answer_words
from samdb.pipelines.pictures import draw_classified, hit_caption, segment_tile
from samdb.pipelines.search import SearchHit
from samdb.reports.crop import draw_crop, jpeg_bytes, shrunk
from samdb.reports.html_parts import html_table
from samdb.reports.notebook_html import Card, counted, draw_cards, draw_note, draw_panel, draw_picture
from samdb.reports.palette import class_color
from samdb.reports.picture_file import png_bytes
from samdb.reports.sheet import draw_sheet

#: hits and answers that are shown: a notebook keeps them in its file, some 20 KB per hit
MOST_HITS, MOST_ANSWERS = 24, 40
#: a crop's side, twice what it is shown at, and the longest side of a whole image
_CROP_PX, _IMAGE_PX = 300, 1080
_COLUMNS = ("class", "score", "runner-up", "granularity", "parts", "box", "label")
# hits of one image often follow each other; more images than this at once are not worth their memory
_IMAGES_KEPT = 4


def hits_html(hits: Sequence[SearchHit]) -> str:
    """The first hits as crops in their surroundings, with rank, score, class and image. A hit whose image is
    gone, or is another one by now, says so in its place."""
    if not hits:
        why = "why_nothing(example) of the database says which filter or recipe leaves nothing."
        return draw_panel("No segment was found", "", [draw_note(why)])
    read = lru_cache(_IMAGES_KEPT)(read_image)
    cards = []
    for hit in hits[:MOST_HITS]:
        s = hit.segment
        picture, missing = None, "the image's place is not known"
        if hit.image_path is not None:
            try:
                pixels = read(hit.image_path)
            except ImageError:
                missing = "the image cannot be read any more"
            else:
                missing = "the image was replaced by another one"
                if pixels.shape[:2] == s.mask.size_hw:
                    picture = jpeg_bytes(draw_crop(pixels, s.mask, s.box_xyxy, _CROP_PX))
        name, file, granularity = s.class_name or "no class", Path(s.image_id).name, s.granularity
        attributes = [v for v in s.attributes.values() if isinstance(v, str) and v != "undefined"]
        below = (file, ", ".join([granularity, *attributes]))
        hint = f"segment {s.segment_id} of {s.dataset}/{s.image_id}"
        color = class_color(s.class_name)
        cards.append(Card(picture, name, f"{hit.score:.3f}", below, color, str(hit.rank), missing, hint))
    title = f"{counted(len(hits), 'segment')} like the example"
    n_images = len({(h.segment.dataset, h.segment.image_id) for h in hits})
    subtitle = f"of {counted(n_images, 'image')}, the most similar first"
    if len(hits) > MOST_HITS:
        subtitle += f"; the first {MOST_HITS} are shown"
    return draw_panel(title, subtitle, [draw_cards(cards)])


def hit_png(hit: SearchHit) -> bytes | None:
    """One hit as a picture; None when its image cannot be read any more."""
    s = hit.segment
    tile = segment_tile(hit.image_path, s.mask, s.box_xyxy, hit_caption(hit), s.class_name, str(hit.rank))
    return None if tile is None else png_bytes(draw_sheet([tile]))


def classified_html(image: ClassifiedImage) -> str:
    """The image with its segments tinted by class, and the answers, the surest first."""
    parts = []
    try:
        picture = shrunk(draw_classified(image, titled=False), _IMAGE_PX)
    except (ImageError, ValueError):  # gone, or another image by now
        parts.append(draw_note(f"{image.sample.path} is not the image any more that was classified."))
    else:
        alt = f"{image.sample.path.name} with its segments"
        parts.append(draw_picture(jpeg_bytes(picture), alt, picture.width))
    ranked = sorted(image.segments, key=lambda s: answer_order(s.prediction))
    if ranked:
        labelled = any(s.label and s.label.class_name for s in ranked)
        head = _COLUMNS if labelled else _COLUMNS[:-1]
        rows = [_answer(s)[: len(head)] for s in ranked[:MOST_ANSWERS]]
        parts.append(html_table(head, rows, left=("runner-up", "granularity", "label")))
    if len(ranked) > MOST_ANSWERS:
        parts.append(draw_note(f"and {counted(len(ranked) - MOST_ANSWERS, 'more segment')}, less sure"))
    if image.problems:
        parts.append(draw_note("Left out:", image.problems))
    n_named = sum(s.prediction.class_name is not None for s in image.segments)
    subtitle = f"{n_named} of {counted(len(ranked), 'segment')} classified"
    if image.hidden:
        subtitle += f"; {counted(len(image.hidden), 'other')} answered for by these"
    return draw_panel(image.sample.path.name, subtitle, parts)


def _answer(item: ClassifiedSegment) -> tuple[str, ...]:
    p, s = item.prediction, item.segment
    return (
        answer_words(p),
        f"{p.score:.2f}",
        p.runner_up or "-",
        s.granularity,
        str(item.parts),
        ", ".join(f"{v:.0f}" for v in s.box_xyxy),
        (item.label.class_name if item.label else "") or "-",
    )
