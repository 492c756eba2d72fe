"""`samdb classify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar
from samdb.core.points import PayloadValue
from samdb.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from samdb.core.sample import Sample
    from samdb.pipelines.classify import ClassifiedImage, ClassifiedSegment
    from samdb.pipelines.cutting import PromptMode

_COLUMNS = ("image", "box", "class", "score", "runner-up", "granularity")


def classify(
    path: Annotated[Path, typer.Argument(help="An image, a folder of images, or a dataset.")],
    prompts: Annotated[
        str,
        typer.Option(
            "--prompts",
            metavar="auto|labels|FILE",
            help="auto: everything SAM sees. labels: the dataset's boxes. FILE: a JSON list of "
            "[x0, y0, x1, y1] boxes for the one image.",
        ),
    ] = "auto",
    bank: Annotated[
        str | None, typer.Option("--bank", help="NAME or NAME@VERSION.", show_default="the active one")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a picture per image into this folder.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Only this split of a dataset.", show_default="all")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    min_area_px: Annotated[
        int, typer.Option("--min-area-px", min=0, help="Leave out labelled boxes (or segments) below this.")
    ] = 0,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    points_per_side: options.PointsPerSide = None,
) -> None:
    """Tell the class of every segment of an image, or of given boxes.

    With --prompts labels the answers are compared with the labels: accuracy and macro-F1 on stderr.
    """
    from samdb import api, wiring
    from samdb.config import load_settings

    mode: PromptMode = "auto" if prompts == "auto" else "labels"
    settings = load_settings(
        options.overrides(
            store=store, model=model, device=device, precision=precision, points_per_side=points_per_side
        )
    )
    samples = _samples(path, prompts, split, limit)
    pairs: list[tuple[str, str | None]] = []
    failed: list[tuple[str, str]] = []
    with api.Database(settings) as db:
        db.check()
        db.segmenter = wiring.load_segmenter(settings, DownloadBar())
        for sample in samples:
            try:
                image = db.classify(sample, prompts=mode, bank=bank)
            except ImageError as exc:
                failed.append((str(sample.path), str(exc)))
                continue
            image = _large_enough(image, min_area_px)
            failed += [(str(sample.path), text) for text in image.problems]
            _print(image, as_json=as_json)
            pairs += [
                (s.label.class_name, s.prediction.class_name) for s in image.segments if s.label is not None
            ]
            if out is not None:
                _draw(image, out)
    show.problems(failed, f"{len(failed):,} things left out:")
    if mode == "labels":
        _compare(pairs)
    if failed and not pairs and len(failed) == 1 and path.is_file():
        raise typer.Exit(1)


def _samples(path: Path, prompts: str, split: str | None, limit: int | None) -> Iterator[Sample]:
    from itertools import islice

    from samdb import api, wiring
    from samdb.datasets.box_file import read_boxes

    if prompts not in ("auto", "labels"):
        boxes = Path(prompts)
        if not boxes.is_file():
            raise ConfigError(f"--prompts {prompts}: use auto, labels, or a JSON file of boxes that exists")
        yield replace(api.one_image(path), labels=read_boxes(boxes), has_labels=True)
        return
    if path.is_file() and prompts == "auto" and path.suffix.lower() != ".json":
        yield api.one_image(path)
        return
    dataset = wiring.open_dataset(path)
    found = list(islice(dataset.samples(split), limit))
    if prompts == "labels" and not any(s.labels for s in found):
        raise ConfigError(
            f"--prompts labels: {path} has no labels; give a dataset with labels, or a JSON file of boxes"
        )
    yield from found


def _large_enough(image: ClassifiedImage, min_area_px: int) -> ClassifiedImage:
    def area(item: ClassifiedSegment) -> float:
        box = item.segment.label_box_xyxy
        return item.segment.area_px if box is None else (box[2] - box[0]) * (box[3] - box[1])

    return replace(image, segments=tuple(s for s in image.segments if area(s) >= min_area_px))


def _print(image: ClassifiedImage, *, as_json: bool) -> None:
    if as_json:
        for item in image.segments:
            show.json_line(_record(image, item))
        return
    named = sorted(image.segments, key=lambda s: (s.prediction.class_name is None, -s.prediction.score))
    rows = []
    for item in named:
        p = item.prediction
        row = [
            image.sample.path.name,
            ",".join(f"{v:.0f}" for v in item.segment.box_xyxy),
            p.class_name or f"({p.reason})",
            f"{p.score:.2f}",
            p.runner_up or "-",
            item.segment.granularity,
        ]
        rows.append([*row, item.label.class_name] if item.label is not None else row)
    labelled = any(s.label is not None for s in image.segments)
    show.table((*_COLUMNS, "label") if labelled else _COLUMNS, rows, right=("score",))


def _record(image: ClassifiedImage, item: ClassifiedSegment) -> dict[str, PayloadValue]:
    segment, prediction = item.segment, item.prediction
    record: dict[str, PayloadValue] = {
        "image": str(image.sample.path),
        "box_xyxy": list(segment.box_xyxy),
        "mask": {"size": list(segment.mask.size_hw), "counts": segment.mask.counts},
        "granularity": segment.granularity,
        "class_name": prediction.class_name,
        "score": prediction.score,
        "runner_up": prediction.runner_up,
        "reason": prediction.reason,
        "segment_id": segment.segment_id,
    }
    if item.label is not None:
        box = segment.label_box_xyxy
        record |= {"label": item.label.class_name, "label_box_xyxy": None if box is None else list(box)}
    return record


def _draw(image: ClassifiedImage, folder: Path) -> None:
    from samdb.datasets.images import read_image
    from samdb.reports.overlay import OverlayItem, draw_overlay
    from samdb.reports.picture_file import save_png

    items = [
        OverlayItem(
            mask=s.segment.mask,
            box_xyxy=s.segment.box_xyxy,
            label=s.prediction.class_name,
            score=None if s.prediction.class_name is None else s.prediction.score,
            color_key=s.prediction.class_name,
        )
        for s in image.segments
    ]
    counts = Counter(i.color_key for i in items if i.color_key is not None)
    title = f"{image.sample.path.name}: {sum(counts.values())} of {len(items)} segments classified"
    picture = draw_overlay(read_image(image.sample.path), items, counts, title)
    show.talk.print(f"picture: {save_png(picture, folder / f'{image.sample.path.stem}.png')}", markup=False)


def _compare(pairs: list[tuple[str, str | None]]) -> None:
    from samdb.core.metrics import classification_figures

    known = [(label, predicted) for label, predicted in pairs if label]
    if not known:
        return
    figures = classification_figures([label for label, _ in known], [predicted for _, predicted in known])
    show.talk.print(
        f"{len(known):,} labelled boxes: accuracy {figures.accuracy:.3f}, macro-F1 {figures.macro_f1:.3f}",
        style="green",
    )
