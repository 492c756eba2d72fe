"""`samdb ingest`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from samdb.cli import options, show
from samdb.cli.progress import DownloadBar, IngestBars
from samdb.errors import ConfigError
from samdb.pipelines.ingest import IngestReport
from samdb.ports import Dataset

if TYPE_CHECKING:
    from samdb.workers.ray_cluster import RayPlan

_MORE = " (--report FILE writes them all)"


def ingest(
    path: Annotated[
        Path,
        typer.Argument(
            help="A dataset folder (BDD100K, COCO, YOLO, Pascal VOC, ImageNet) or a folder of images."
        ),
    ],
    format: Annotated[
        Literal["auto", "bdd100k", "coco", "yolo", "voc", "imagenet", "folder"],
        typer.Option("--format", help="What the folder is."),
    ] = "auto",
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="What to call the dataset in the store.",
            show_default="its folder's name",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="SPLIT", help="Only this split, such as train.", show_default="all"),
    ] = None,
    prompts: Annotated[
        Literal["labels", "auto", "both"] | None,
        typer.Option(
            "--prompts",
            help="What to cut: labelled objects, everything SAM sees, or both.",
            show_default="labels if there are any, else auto",
        ),
    ] = None,
    recipes: Annotated[
        str | None,
        typer.Option(
            "--recipes",
            metavar="A,B",
            help="Embeddings to store: blend, backbone, quarters, semantic, neck, token, tokens, crop.",
            show_default="blend",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N images.")] = None,
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk",
            help="Build no vector index while points come in, but all of them at the end: for the first "
            "filling of a server.",
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit 1 when any image or label that is there had to be left out."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the report as JSON, with every problem."),
    ] = None,
    ray: options.RayAddress = None,
    workers: options.Workers = None,
    gpus_per_worker: options.GpusPerWorker = None,
    cpus_per_worker: options.CpusPerWorker = None,
    store: options.Store = None,
    model: options.Model = None,
    device: options.Device = None,
    precision: options.Precision = None,
    runtime: options.Runtime = None,
    automatic: options.Automatic = None,
    points_per_side: options.PointsPerSide = None,
    crop_layers: options.CropLayers = None,
) -> None:
    """Cut images into segments and store them with their embeddings.

    Run it again to resume after a stop or to take up changes: unchanged images are skipped.
    An image that cannot be read is reported and the run goes on.

    Several of these commands may fill one server at once: they share the images. With --ray one command has
    many workers.
    """
    from samdb import api, wiring
    from samdb.config import load_settings
    from samdb.datasets.describe import describe
    from samdb.sam.recipes import check_recipes

    names = tuple(part.strip() for part in recipes.split(",")) if recipes else api.DEFAULT_RECIPES
    check_recipes(names)
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
    plan = _plan(ray, workers, gpus_per_worker, cpus_per_worker)
    if report is not None:
        _check_writable(report)
    dataset = wiring.open_dataset(path, format, name)
    show.say(f"{dataset.name} ({dataset.format})")
    for row in dataset.summary():
        show.say(f"  {describe(row)}")
    more = "" if report else _MORE
    show.problems([("labels", text) for text in dataset.problems()], "Label files with problems:", more=more)
    show.problems([("note", text) for text in dataset.notices()], "Notes:", more=more)
    api.check_split(dataset, split)
    with api.Database(settings, DownloadBar()) as db:
        db.check_model()  # what is wrong with the store is said before SAM is loaded, or fetched
        # loaded here: its bar and the next one cannot be shown at once
        if plan is None or plan.is_local:
            wiring.fetch_weights(db.settings, DownloadBar(), names)
        if plan is None:
            _ = db.segmenter
        with IngestBars() as bars:
            done = db.ingest(
                dataset,
                split=split,
                prompts=prompts,
                recipes=names,
                limit=limit,
                bulk=bulk,
                ray=plan,
                on_progress=bars.tell,
                on_index=bars.tell_index,
            )
    if bulk:
        show.say("the vector indexes are built")
    _tell(done, more)
    if report is not None:
        _write(done, dataset, report)
    if strict and (done.quarantined or done.problems or dataset.problems()):
        raise typer.Exit(1)


def _tell(done: IngestReport, more: str) -> None:
    quarantined = [(p.image_id, p.reason) for p in done.quarantined]
    show.problems(quarantined, f"{_count(len(quarantined), 'image')} left out:", more=more)
    labels = [(p.image_id, p.reason) for p in done.problems]
    show.problems(labels, f"{_count(len(labels), 'label')} left out:", more=more)
    kept = f", {done.n_unchanged:,} unchanged" if done.n_unchanged else ""
    gone = f", {_count(done.n_removed, 'outdated segment')} removed" if done.n_removed else ""
    if done.n_ingested:
        by = f", {done.n_workers} workers" if done.n_workers > 1 else ""
        show.say(f"{100 * done.sam_share:.0f} % of the time inside SAM{by}")
    show.done(
        f"{_count(done.n_ingested, 'image')} ingested{kept}: {_count(done.n_segments, 'new segment')}{gone} "
        f"({done.seconds:.1f} s, {done.images_per_s:.2f} images/s)"
    )


def _plan(address: str | None, workers: int | None, gpus: float | None, cpus: float | None) -> RayPlan | None:
    """Where to ingest on Ray, if at all."""
    from samdb.workers.ray_cluster import RayPlan, check_installed

    if address is None:
        if (workers, gpus, cpus) != (None, None, None):
            raise ConfigError("--workers, --gpus-per-worker and --cpus-per-worker need --ray")
        return None
    check_installed()
    return RayPlan(address, workers, gpus, cpus)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _check_writable(path: Path) -> None:
    """Say so before the long run, not after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as exc:
        raise ConfigError(
            f"cannot write the report {path} ({exc.strerror or exc}): choose another --report file"
        ) from exc


def _write(done: IngestReport, dataset: Dataset, path: Path) -> None:
    record = {
        "dataset": done.dataset,
        "n_images": done.n_images,
        "n_ingested": done.n_ingested,
        "n_unchanged": done.n_unchanged,
        "n_segments": done.n_segments,
        "n_removed": done.n_removed,
        "seconds": done.seconds,
        "images_per_s": done.images_per_s,
        "sam_share": done.sam_share,
        "n_workers": done.n_workers,
        "profile": dataclasses.asdict(done.profile),
        "quarantined": [{"image_id": p.image_id, "reason": p.reason} for p in done.quarantined],
        "problems": [{"image_id": p.image_id, "reason": p.reason} for p in done.problems],
        "label_files": list(dataset.problems()),
        "notices": list(dataset.notices()),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    # a file name that is no text comes out as JSON's own escape
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
