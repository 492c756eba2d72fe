"""The contact sheet of a search: the example first, then every hit outlined in its surroundings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.reports.contour import Canvas, Stroke, paint_mask, resized_mask
from samdb.reports.lettering import BRIGHT, PAGE, QUIET, RULE, font, line_height, shortened, text_width
from samdb.reports.palette import RGB, ink_on

#: a tile's photograph; 4:3 lies between the upright pedestrian and the wide truck
_TILE_WH = (300, 225)
#: the example is shown larger by this factor
_QUERY_SCALE = 1.3
#: how much of the surroundings is shown: times the object's box, and at least so many px of the photograph
_CONTEXT = 1.6
_MIN_CONTEXT_PX = 96.0
#: what is left of the light outside the object
_DIM = 0.6
_GAP, _MARGIN = 20, 28


@dataclass(frozen=True, slots=True)
class Tile:
    """One object on the sheet: an RGB image (H, W, 3), the object's mask (None: its box is outlined) and box.

    `badge` is written on the photograph's corner (the rank), `caption` below it: the first line bright, the
    others quiet. `highlight` colours the outline and the badge.
    """

    image: NDArray[np.uint8]
    mask: Rle | None
    box_xyxy: Box
    caption: tuple[str, ...]
    highlight: RGB
    badge: str | None = None


def draw_sheet(
    tiles: Sequence[Tile], columns: int = 5, title: str | None = None, query_tile: Tile | None = None
) -> Image.Image:
    """Draw the hits in rows of `columns`, the example larger at the left and set apart by a line.

    Without hits the sheet says so. Raises ValueError when a mask is of another image's size.
    """
    if columns < 1:
        raise ValueError(f"a sheet needs at least one column, got {columns}")
    columns = min(columns, max(1, len(tiles)))
    tile_w, tile_h = _TILE_WH[0], _TILE_WH[1] + _caption_height([t.caption for t in tiles])
    rows = math.ceil(len(tiles) / columns)
    grid_w = columns * (tile_w + _GAP) - _GAP
    grid_h = max(1, rows) * (tile_h + _GAP) - _GAP
    query = _draw_tile(query_tile, _QUERY_SCALE) if query_tile else None
    top = _MARGIN + (line_height(font(24)) + _GAP if title else 0)
    left = _MARGIN + (query.width + 2 * _GAP if query else 0)
    size = (left + grid_w + _MARGIN, top + max(grid_h, query.height if query else 0) + _MARGIN)
    page = Image.new("RGB", size, PAGE)
    draw = ImageDraw.Draw(page)
    if title:
        text = shortened(title, font(24), size[0] - 2 * _MARGIN)
        draw.text((_MARGIN, _MARGIN - 6), text, font=font(24), fill=BRIGHT)
    if query:
        page.paste(query, (_MARGIN, top))
        x = _MARGIN + query.width + _GAP
        draw.line((x, top, x, size[1] - _MARGIN), fill=RULE, width=2)
    if not tiles:
        draw.text((left, top + _TILE_WH[1] / 2), "nothing was found", font=font(20), fill=QUIET)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        page.paste(_draw_tile(tile, 1.0), (left + column * (tile_w + _GAP), top + row * (tile_h + _GAP)))
    return page


def _caption_height(captions: Sequence[tuple[str, ...]]) -> int:
    lines = max((len(caption) for caption in captions), default=0)
    return 8 + line_height(font(17)) + max(0, lines - 1) * line_height(font(14)) if lines else 0


def _draw_tile(tile: Tile, scale: float) -> Image.Image:
    width, height = round(_TILE_WH[0] * scale), round(_TILE_WH[1] * scale)
    page = Image.new("RGB", (width, height + _caption_height([tile.caption])), PAGE)
    page.paste(_photograph(tile, (width, height)), (0, 0))
    draw = ImageDraw.Draw(page)
    if tile.badge:
        _draw_badge(draw, tile.badge, tile.highlight)
    y = height + 8
    for number, line in enumerate(tile.caption):
        face = font(17 if number == 0 else 14)
        text = shortened(line, face, width - 2)
        draw.text((1, y), text, font=face, fill=BRIGHT if number == 0 else QUIET)
        y += line_height(face)
    return page


def _draw_badge(draw: ImageDraw.ImageDraw, badge: str, color: RGB) -> None:
    face = font(16)
    edge = (8, 8, 8 + text_width(badge, face) + 16, 8 + line_height(face) + 6)
    draw.rounded_rectangle(edge, radius=6, fill=color, outline=(0, 0, 0))
    middle = ((edge[0] + edge[2]) / 2, (edge[1] + edge[3]) / 2)
    draw.text(middle, badge, font=face, fill=ink_on(color), anchor="mm")


def _photograph(tile: Tile, size_wh: tuple[int, int]) -> Image.Image:
    """The object in its surroundings, the surroundings dimmed and the object outlined."""
    height, width = tile.image.shape[:2]
    if tile.mask is not None and tile.mask.size_hw != (height, width):
        raise ValueError(f"a mask of size {tile.mask.size_hw} was given for an image of {(height, width)}")
    crop = context_box(tile.box_xyxy, (height, width), size_wh[0] / size_wh[1])
    scale = min(size_wh[0] / (crop[2] - crop[0]), size_wh[1] / (crop[3] - crop[1]))
    inner = (max(1, round((crop[2] - crop[0]) * scale)), max(1, round((crop[3] - crop[1]) * scale)))
    x0, y0, x1, y1 = crop
    photo = Image.fromarray(np.ascontiguousarray(tile.image[y0:y1, x0:x1]))
    canvas: Canvas = np.array(photo.resize(inner, Image.Resampling.LANCZOS), dtype=np.float32)
    mask = _mask_in(tile, crop, inner)
    canvas *= np.where(mask, 1.0, _DIM).astype(np.float32)[..., None]
    paint_mask(canvas, mask, (0, 0), Stroke(tile.highlight, fill=0.0, width_px=3.0, halo=0.6))
    page = Image.new("RGB", size_wh, (8, 9, 11))
    drawn = Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))
    page.paste(drawn, ((size_wh[0] - inner[0]) // 2, (size_wh[1] - inner[1]) // 2))
    return page


def context_box(
    box_xyxy: Box, size_hw: tuple[int, int], aspect: float, context: float = _CONTEXT
) -> tuple[int, int, int, int]:
    """The part of the image to show, (x0, y0, x1, y1) px: `context` times the box, its surroundings included.

    It has the tile's aspect (width / height) and is moved rather than cut at the image's edges; where the
    image is too small for that, all of that side is shown.
    """
    x0, y0, x1, y1 = box_xyxy
    height = max((y1 - y0) * context, (x1 - x0) * context / aspect, _MIN_CONTEXT_PX)
    sides = []
    for low, high, span, limit in (
        (x0, x1, height * aspect, size_hw[1]),
        (y0, y1, height, size_hw[0]),
    ):
        length = min(limit, max(1, round(span)))
        start = min(max(0, round((low + high - length) / 2)), limit - length)
        sides.append((start, start + length))
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


def _mask_in(tile: Tile, crop: tuple[int, int, int, int], inner_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """The object (h, w) in the enlarged crop; its box when there is no mask."""
    x0, y0, x1, y1 = crop
    if tile.mask is not None:
        mask = tile.mask.decode()
    else:
        mask = np.zeros(tile.image.shape[:2], dtype=bool)
        left, top, right, bottom = (max(0, round(v)) for v in tile.box_xyxy)
        mask[top:bottom, left:right] = True
    return resized_mask(mask[y0:y1, x0:x1], inner_wh)
