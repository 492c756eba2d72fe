"""What an audit leaves behind: a CSV of all findings, and contact sheets of the worst."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.core.boxes import Box
from samdb.core.ids import image_point_id
from samdb.datasets.images import read_image
from samdb.errors import ConfigError, ImageError
from samdb.pipelines.audit_findings import AuditReport, Finding
from samdb.pipelines.audit_images import ImageKey
from samdb.ports import VectorStore
from samdb.reports.palette import class_color
from samdb.reports.picture_file import save_png
from samdb.reports.sheet import Tile, draw_sheet
from samdb.stores.layout import IMAGES

COLUMNS = (
    "kind",
    "dataset",
    "image",
    "segment_id",
    "label",
    "suggested",
    "score",
    "reason",
    "box",
    "other_dataset",
    "other_image",
)


def finding_row(finding: Finding) -> dict[str, str]:
    """A finding as the CSV shows it: all text, the box as X0,Y0,X1,Y1 px."""
    box = finding.box_xyxy
    return {
        "kind": finding.kind,
        "dataset": finding.dataset,
        "image": finding.image_id,
        "segment_id": finding.segment_id,
        "label": finding.label,
        "suggested": finding.suggested,
        "score": f"{finding.score:.4f}",
        "reason": finding.reason,
        "box": "" if box is None else ",".join(f"{v:g}" for v in box),
        "other_dataset": finding.other_dataset,
        "other_image": finding.other_image,
    }


def write_csv(findings: Sequence[Finding], path: Path) -> Path:
    """Write the findings, a row each; the file appears only whole. Raises ConfigError when it cannot be."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(finding_row(f) for f in findings)
        os.replace(part, path)
    except OSError as exc:
        raise ConfigError(f"cannot write {path} ({exc.strerror or exc}): choose another --out") from exc
    return path


def write_label_sheet(store: VectorStore, report: AuditReport, path: Path, most: int) -> list[Finding]:
    """Write the contact sheet of the `most` suspicious labels; returns those whose image cannot be read."""
    worst = report.of("label")[:most]
    tiles, gone = [], []
    paths = _paths(store, worst)
    for rank, finding in enumerate(worst, 1):
        pixels = _pixels(paths.get((finding.dataset, finding.image_id)))
        segment = finding.segment
        if pixels is None or segment is None or segment.mask.size_hw != pixels.shape[:2]:
            gone.append(finding)
            continue
        caption = (
            f"{finding.label} -> {finding.suggested}",
            f"{finding.score:.2f}  {Path(finding.image_id).name}",
        )
        color = class_color(finding.suggested)
        tiles.append(Tile(pixels, segment.mask, segment.box_xyxy, caption, color, str(rank)))
    n = len(report.of("label"))
    title = f"Labels to look at: {len(worst)} of {n:,} that neighbours dispute; label -> what they say"
    save_png(draw_sheet(tiles, title=title), path)
    return gone


def write_image_sheet(store: VectorStore, report: AuditReport, path: Path, most: int) -> list[Finding]:
    """Write the contact sheet of images: up to `most` of each kind, twins side by side.

    Returns the findings of which an image cannot be read.
    """
    kinds = [report.of(k)[:most] for k in ("leak", "duplicate", "near_duplicate", "attribute")]
    worst = [f for found in kinds for f in found]
    paths = _paths(store, worst)
    tiles, gone = [], []
    for rank, finding in enumerate(worst, 1):
        keys = [(finding.dataset, finding.image_id)]
        if finding.other_image:
            keys.append((finding.other_dataset, finding.other_image))
        pictures = [_pixels(paths.get(key)) for key in keys]
        if any(p is None for p in pictures):
            gone.append(finding)
        for key, pixels in zip(keys, pictures, strict=True):
            if pixels is None:
                continue
            head = finding.kind.replace("_", " ")
            if finding.kind == "attribute":
                value, better = (text.partition("=")[2] for text in (finding.label, finding.suggested))
                head = f"{finding.label.partition('=')[0]}: {value} -> {better}"
            caption = (head, f"{finding.score:.3f}  {Path(key[1]).name}", finding.reason)
            color = class_color(finding.kind)
            tiles.append(Tile(pixels, None, _whole(pixels), caption, color, str(rank)))
    save_png(draw_sheet(tiles, columns=4, title="Images to look at: leaks, twins, attributes"), path)
    return gone


def _whole(pixels: NDArray[np.uint8]) -> Box:
    return (0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0]))


def _paths(store: VectorStore, findings: Sequence[Finding]) -> Mapping[ImageKey, Path]:
    """Where the images of findings are."""
    keys = {(f.dataset, f.image_id): None for f in findings}
    keys.update({(f.other_dataset, f.other_image): None for f in findings if f.other_image})
    points = store.get(IMAGES, [image_point_id(*key) for key in keys]) if keys else []
    return {
        (str(p.payload["dataset"]), str(p.payload["image_id"])): Path(str(p.payload["path"])) for p in points
    }


def _pixels(path: Path | None) -> NDArray[np.uint8] | None:
    """The image, or None when it cannot be read any more."""
    if path is None:
        return None
    try:
        return read_image(path)
    except ImageError:
        return None
