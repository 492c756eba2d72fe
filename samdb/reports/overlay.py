"""The picture of a classified image: masks tinted by class, labelled, with a legend."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.reports.chips import Spot, place_chips, spot_of
from samdb.reports.contour import Canvas, Stroke, paint_mask, resized_mask
from samdb.reports.lettering import BRIGHT, PAGE, QUIET, RULE, font, line_height, shortened, text_width
from samdb.reports.palette import GREY, class_color, ink_on

#: small photographs are enlarged to this long side, so that labels stay small beside the objects
_LONG_SIDE_PX = 1280
_MAX_ENLARGEMENT = 3.0
#: more labels than this hide the photograph; the largest objects get them
_MAX_LABELS = 60


@dataclass(frozen=True, slots=True)
class OverlayItem:
    """One segment to draw.

    `color_key` is the class that colours it; None draws a thin grey outline without a label (rejected, or
    not classified). `label` and `score` make its label; neither makes none.
    """

    mask: Rle
    box_xyxy: Box
    label: str | None = None
    score: float | None = None
    color_key: str | None = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """The photograph's place in the picture: its enlargement, and the unit all sizes are measured in."""

    scale: float
    width: int
    height: int
    unit: float


def draw_overlay(
    image: NDArray[np.uint8],
    items: Sequence[OverlayItem],
    legend: Mapping[str, int] | None = None,
    title: str | None = None,
) -> Image.Image:
    """Draw segments on an RGB image (H, W, 3): a title line, the photograph, a legend below it.

    `legend` maps a class to its count; by default the items are counted. Photographs with a long side below
    1280 px are enlarged up to three times, others keep their pixels. The 60 largest objects are labelled; a
    label that finds no free place beside its object is left out: the colour still tells the class.

    Raises ValueError when a mask is of another image's size.
    """
    for item in items:
        if item.mask.size_hw != image.shape[:2]:
            raise ValueError(
                f"a mask of size {item.mask.size_hw} was given for an image of {image.shape[:2]}"
            )
    frame = _frame(image)
    photo = _photograph(image, items, frame)
    _draw_labels(photo, items, frame)
    counts = Counter(i.color_key for i in items if i.color_key is not None) if legend is None else legend
    unknown = sum(item.color_key is None for item in items)
    head = _title_bar(title, frame) if title else None
    foot = _legend_bar(counts, unknown, frame) if counts or unknown else None
    parts = [part for part in (head, photo, foot) if part is not None]
    page = Image.new("RGB", (frame.width, sum(part.height for part in parts)), PAGE)
    y = 0
    for part in parts:
        page.paste(part, (0, y))
        y += part.height
    return page


def _frame(image: NDArray[np.uint8]) -> _Frame:
    height, width = image.shape[:2]
    scale = min(max(1.0, _LONG_SIDE_PX / max(height, width)), _MAX_ENLARGEMENT)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return _Frame(scale, *size, unit=max(0.6, max(size) / _LONG_SIDE_PX))


def _photograph(image: NDArray[np.uint8], items: Sequence[OverlayItem], frame: _Frame) -> Image.Image:
    """The photograph with all masks painted, large ones first so that small ones stay visible."""
    photo = Image.fromarray(image)
    if frame.scale != 1.0:
        photo = photo.resize((frame.width, frame.height), Image.Resampling.LANCZOS)
    canvas: Canvas = np.array(photo, dtype=np.float32)
    known = [item for item in items if item.color_key is not None]
    for item in [i for i in items if i.color_key is None] + sorted(known, key=lambda i: -i.mask.area_px):
        _paint(canvas, item, frame)
    return Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))


def _paint(canvas: Canvas, item: OverlayItem, frame: _Frame) -> None:
    mask, (left, top) = _cut_out(item.mask)
    if not mask.size:
        return
    if frame.scale != 1.0:
        size = (max(1, round(mask.shape[1] * frame.scale)), max(1, round(mask.shape[0] * frame.scale)))
        mask = resized_mask(mask, size)
    origin = (round(left * frame.scale), round(top * frame.scale))
    if item.color_key is None:
        stroke = Stroke(GREY, fill=0.0, width_px=1.1 * frame.unit, opacity=0.75, halo=0.35)
    else:
        stroke = Stroke(class_color(item.color_key), _tint(item), width_px=2.4 * frame.unit)
    paint_mask(canvas, mask, origin, stroke)


def _cut_out(mask: Rle) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """The mask cut to its box, and the box's corner (x, y)."""
    x0, y0, x1, y1 = (round(v) for v in mask.box_xyxy)
    return mask.decode()[y0:y1, x0:x1], (x0, y0)


def _tint(item: OverlayItem) -> float:
    """How strongly the inside is coloured: large areas lightly, so that the photograph stays visible."""
    height, width = item.mask.size_hw
    return 0.4 - 0.2 * min(1.0, 4 * item.mask.area_px / (height * width))


def _spot(item: OverlayItem, frame: _Frame) -> Spot:
    mask, corner = _cut_out(item.mask)
    return spot_of(mask, corner, frame.scale)


def _draw_labels(photo: Image.Image, items: Sequence[OverlayItem], frame: _Frame) -> None:
    """Label chips, the largest objects first to choose their place."""
    shown = [i for i in items if i.color_key is not None and _text(i) and i.mask.area_px]
    shown = sorted(shown, key=lambda i: -i.mask.area_px)[:_MAX_LABELS]
    faces = [font(round(_text_px(item, frame))) for item in shown]
    pads = [max(2, round(face.size * 0.32)) for face in faces]
    sizes = [
        (text_width(_text(item), face) + 2 * pad, line_height(face) + max(1, pad // 2))
        for item, face, pad in zip(shown, faces, pads, strict=True)
    ]
    spots = [_spot(item, frame) for item in shown]
    corners = place_chips(spots, sizes, (frame.width, frame.height), max(2, round(3 * frame.unit)))
    draw = ImageDraw.Draw(photo, "RGBA")
    for item, face, pad, (w, h), corner in zip(shown, faces, pads, sizes, corners, strict=True):
        if corner is None:
            continue
        (x, y), color = corner, class_color(item.color_key)
        edge = (x, y, x + w - 1, y + h - 1)
        draw.rounded_rectangle(edge, radius=max(2, h // 5), fill=(*color, 235), outline=(0, 0, 0, 110))
        draw.text((x + pad, y + h / 2), _text(item), font=face, fill=ink_on(color), anchor="lm")


def _text_px(item: OverlayItem, frame: _Frame) -> float:
    """The label's letter size: smaller for smaller objects, always readable."""
    x0, y0, x1, y1 = item.box_xyxy
    side = math.sqrt(max(1.0, (x1 - x0) * (y1 - y0))) * frame.scale / frame.unit
    return frame.unit * min(17.0, max(11.5, 9.5 + side / 18))


def _text(item: OverlayItem) -> str:
    score = "" if item.score is None else f"{item.score:.2f}"
    return " ".join(part for part in (item.label or "", score) if part)


def _title_bar(title: str, frame: _Frame) -> Image.Image:
    face, pad = font(round(19 * frame.unit)), round(14 * frame.unit)
    bar = Image.new("RGB", (frame.width, line_height(face) + 2 * round(9 * frame.unit)), PAGE)
    text = shortened(title, face, frame.width - 2 * pad)
    ImageDraw.Draw(bar).text((pad, bar.height / 2), text, font=face, fill=BRIGHT, anchor="lm")
    return bar


def _legend_bar(counts: Mapping[str, int], unknown: int, frame: _Frame) -> Image.Image:
    """Swatch, class and count of each class, in as many rows as they need."""
    face = font(round(15 * frame.unit))
    pad, swatch, row_px = round(14 * frame.unit), round(15 * frame.unit), round(28 * frame.unit)
    entries: list[tuple[str | None, int]] = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    entries += [(None, unknown)] if unknown else []
    placed, x, row = [], pad, 0
    for name, count in entries:
        label = shortened(name or "not recognised", face, frame.width // 2)
        width = swatch + pad // 2 + text_width(f"{label}  {count}", face)
        if x > pad and x + width > frame.width - pad:
            x, row = pad, row + 1
        placed.append((name, label, count, x, row))
        x += width + 2 * pad
    bar = Image.new("RGB", (frame.width, (row + 1) * row_px + pad), PAGE)
    draw = ImageDraw.Draw(bar)
    draw.line((0, 0, frame.width, 0), fill=RULE)
    for name, label, count, x, row in placed:
        middle = pad / 2 + row * row_px + row_px / 2
        box = (x, middle - swatch / 2, x + swatch, middle + swatch / 2)
        fill = None if name is None else class_color(name)
        draw.rounded_rectangle(box, radius=swatch // 4, fill=fill, outline=class_color(name), width=2)
        left = x + swatch + pad // 2
        draw.text((left, middle), label, font=face, fill=BRIGHT, anchor="lm")
        left += text_width(f"{label}  ", face)
        draw.text((left, middle), str(count), font=face, fill=QUIET, anchor="lm")
    return bar
