"""`samdb classify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from samdb.cli import options, show
from samdb.cli.explain import explained, print_reason
from samdb.cli.progress import DownloadBar, image_bar
from samdb.core.points import PayloadValue
from samdb.errors import ConfigError, InputError, ModelError

if TYPE_CHECKING:
    from samdb.core.sample import Sample
    from samdb.pipelines.classify import ClassifiedImage, ClassifiedSegment
    from samdb.pipelines.cutting import PromptMode
    from samdb.pipelines.explain import Explanation

# a picture per answer of an image: more than these nobody looks through
_MOST_REASONS = 24
_COLUMNS = ("image", "box", "class", "score", "runner-up", "granularity", "parts")


def classify(
    path: Annotated[Path, typer.Argument(help="An image, a folder of images, or a dataset.")],
    prompts: Annotated[
        str,
        typer.Option(
            "--prompts",
            metavar="auto|labels|FILE",
            help="auto: everything SAM sees. labels: the dataset's boxes. FILE: a JSON list of "
            r"\[x0, y0, x1, y1] boxes for the one image.",
        ),
    ] = "auto",
    bank: Annotated[
        str | None,
        typer.Option(
            "--bank", metavar="BANK", help="NAME (its newest) or NAME@VERSION.", show_default="the active one"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write a picture per image into this folder.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="SPLIT", help="Only this split of a dataset.", show_default="all"),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    min_area_px: Annotated[
        int, typer.Option("--min-area-px", min=0, help="Leave out labelled boxes (or segments) below this.")
    ] = 0,
    all_segments: Annotated[
        bool,
        typer.Option("--all-segments", help="Also the parts of objects, and what shows an object again."),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Say why: the nearest prototypes, the real segments behind them (pictures with --out), the "
            "margin, the parts' votes.",
        ),
    ] = False,
    as_json: options.AsJson = False,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    runtime: options.Runtime = None,
    automatic: options.Automatic = None,
    points_per_side: options.PointsPerSide = None,
    crop_layers: options.CropLayers = None,
) -> None:
    """Tell the class of every object in an image, or of given boxes.

    One answer per object: its parts vote, and are shown with --all-segments. An answer is a class, several
    that cannot be told apart (the likeliest with a question mark), or unknown, with the reason in brackets.
    With --prompts labels the answers are compared with the labels: accuracy and macro-F1 on stderr.
    An image that cannot be read is reported and the others go on.
    """
    from samdb import api
    from samdb.api.answering import answering
    from samdb.config import load_settings
    from samdb.pipelines.pictures import picture_names, write_overlay

    mode: PromptMode = "auto" if prompts == "auto" else "labels"
    settings = load_settings(
        options.overrides(
            store=store,
            model=model,
            device=device,
            precision=precision,
            runtime=runtime,
            automatic=automatic,
            points_per_side=points_per_side,
            crop_layers=crop_layers,
        )
    )
    samples = _samples(path, prompts, split, limit)
    names = picture_names(samples)
    pairs: list[tuple[str, str | None]] = []
    unread: list[tuple[str, str]] = []
    left_out: list[tuple[str, str]] = []
    with api.Database(settings, DownloadBar()) as db:
        # that there is none is said before SAM is loaded
        source = answering(db.store, db.settings.model, bank)
        card = source.card
        if source.built_in:
            show.say(
                f"bank {card.label}, which comes with samdb, answers: {', '.join(card.classes)} "
                "(`samdb bank show built-in`; `samdb bank build` makes one of your labels)"
            )
        _ = db.segmenter
        with image_bar("classify", len(samples)) as tell:
            for sample, name in zip(samples, names, strict=True):
                try:
                    image = db.classify(sample, prompts=mode, bank=card.label)
                except (InputError, ModelError) as exc:
                    if path.is_file():
                        raise
                    unread.append((sample.image_id, str(exc)))
                else:
                    if all_segments:
                        image = replace(image, segments=image.segments + image.hidden)
                    image = _large_enough(image, min_area_px)
                    left_out += [(sample.image_id, text) for text in image.problems]
                    pairs += [
                        (s.label.class_name, s.prediction.class_name) for s in image.segments if s.label
                    ]
                    reasons = db.explain(image, card.label) if explain else []
                    _print(image, reasons, as_json=as_json)
                    if out is not None:
                        show.say(f"picture: {write_overlay(image, out / name)}")
                        _draw_reasons(image, reasons, (out / name).with_suffix(".why"))
                tell()
    show.problems(unread, f"{len(unread):,} of {len(samples):,} images cannot be classified:")
    show.problems(left_out, "Labels left out:")
    if mode == "labels":
        _compare(pairs)
    if len(unread) == len(samples):
        raise typer.Exit(1)


def _samples(path: Path, prompts: str, split: str | None, limit: int | None) -> Sequence[Sample]:
    """The images to classify, at least one."""
    from itertools import islice

    from samdb import api, wiring
    from samdb.datasets.box_file import read_boxes

    if prompts not in ("auto", "labels"):
        boxes = Path(prompts)
        if not boxes.is_file():
            raise ConfigError(f"--prompts {prompts}: use auto, labels, or a JSON file of boxes that exists")
        return [replace(api.one_image(path), labels=read_boxes(boxes), has_labels=True)]
    if path.is_file() and prompts == "auto" and path.suffix.lower() != ".json":
        return [api.one_image(path)]
    dataset = wiring.open_dataset(path)
    api.check_split(dataset, split)
    found = list(islice(dataset.samples(split), limit))
    if prompts == "labels" and not any(s.labels for s in found):
        raise ConfigError(
            f"--prompts labels: {path} has no labels; give a dataset with labels, or a JSON file of boxes"
        )
    if not found:
        raise InputError(f"{path} has no image to classify: give an image, or a folder of images")
    return found


def _large_enough(image: ClassifiedImage, min_area_px: int) -> ClassifiedImage:
    def area(item: ClassifiedSegment) -> float:
        box = item.segment.label_box_xyxy
        return item.segment.area_px if box is None else (box[2] - box[0]) * (box[3] - box[1])

    return replace(image, segments=tuple(s for s in image.segments if area(s) >= min_area_px))


def _draw_reasons(image: ClassifiedImage, reasons: Sequence[Explanation], folder: Path) -> None:
    from samdb.pipelines.classify import answer_order
    from samdb.pipelines.explain_pictures import write_explanations

    if not reasons:
        return
    ordered = sorted(reasons, key=lambda r: answer_order(r.prediction))
    write_explanations(ordered, image.sample.path, folder, _MOST_REASONS)
    more = f" (the first {_MOST_REASONS} of {len(reasons)})" if len(reasons) > _MOST_REASONS else ""
    show.say(f"why: {folder}{more}")


def _print(image: ClassifiedImage, reasons: Sequence[Explanation], *, as_json: bool) -> None:
    from samdb.pipelines.classify import answer_order, answer_words

    if as_json:
        for item, why in zip_longest(image.segments, reasons):
            show.json_line({**_record(image, item), **({"explain": explained(why)} if why else {})})
        return
    if not image.segments:
        show.say(f"{image.sample.path.name}: no segments")
        return
    named = sorted(image.segments, key=lambda s: answer_order(s.prediction))
    labelled = any(s.label and s.label.class_name for s in named)
    rows = []
    for item in named:
        p = item.prediction
        row = [
            image.sample.path.name,
            ",".join(f"{v:.0f}" for v in item.segment.box_xyxy),
            answer_words(p),
            f"{p.score:.2f}",
            p.runner_up or "-",
            item.segment.granularity,
            str(item.parts) if item.answered_by is None else "hidden",
        ]
        rows.append([*row, (item.label.class_name if item.label else "") or "-"] if labelled else row)
    show.table((*_COLUMNS, "label") if labelled else _COLUMNS, rows, right=("score", "parts"))
    for why in sorted(reasons, key=lambda r: answer_order(r.prediction)):
        print_reason(why)


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
        "outcome": prediction.outcome,
        "classes": list(prediction.classes),
        "parts": item.parts,
        "answered_by": item.answered_by,
    }
    if item.label is not None:
        box = segment.label_box_xyxy
        record |= {
            "label": item.label.class_name or None,
            "label_box_xyxy": None if box is None else list(box),
        }
    return record


def _compare(pairs: Sequence[tuple[str, str | None]]) -> None:
    """Say how the answers agree with the labels; a rejection counts as wrong."""
    from samdb.core.metrics import classification_figures

    known = [(label, predicted) for label, predicted in pairs if label]
    if not known:
        return
    figures = classification_figures([label for label, _ in known], [predicted for _, predicted in known])
    rejected = sum(predicted is None for _, predicted in known)
    boxes = "1 labelled box" if len(known) == 1 else f"{len(known):,} labelled boxes"
    show.done(
        f"{boxes}: accuracy {figures.accuracy:.3f}, macro-F1 {figures.macro_f1:.3f} "
        f"over {len(figures.per_class)} classes ({rejected:,} rejected, counted as wrong)"
    )
