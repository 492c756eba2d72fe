"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer
import typer.core

Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="A folder, or http://host:6333 for a Qdrant server.",
        show_default="$SAMDB_STORE or ./samdb_data",
    ),
]
Model: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="vit_t (MobileSAM), vit_b, vit_l or vit_h.",
        show_default="$SAMDB_MODEL or the store's; of a new store vit_t",
    ),
]
Device: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="cpu, cuda, cuda:1, mps, or auto: the fastest there is.",
        show_default="$SAMDB_DEVICE or auto",
    ),
]
Precision: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="PRECISION",
        help="fp32, bf16, or auto: bf16 where the hardware multiplies it.",
        show_default="$SAMDB_PRECISION or auto",
    ),
]
Runtime: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="RUNTIME",
        help="What SAM's image encoder runs on: openvino (CPU), torch, compile (torch, compiled at every "
        "start), or auto: openvino on a CPU, else torch.",
        show_default="$SAMDB_RUNTIME or auto",
    ),
]
Automatic: TypeAlias = Annotated[
    Literal["fast", "exact"] | None,
    typer.Option(
        "--automatic",
        help="How automatic masks are found: fast asks SAM at the half of the grid's points where the image "
        "changes most; exact asks at every point, as SAM's own generator does.",
        show_default="$SAMDB_AUTOMATIC or fast",
    ),
]
PointsPerSide: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--points-per-side",
        min=1,
        help="Grid of automatic masks: fewer points are faster and find fewer small things.",
        show_default="$SAMDB_POINTS_PER_SIDE or 32",
    ),
]
CropLayers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--crop-layers",
        min=0,
        max=2,
        help="1: look for automatic masks in 2 x 2 enlarged crops of the image too, 2: in 4 x 4 as well. "
        "Finds smaller things and takes longer.",
        show_default="$SAMDB_CROP_LAYERS or 0",
    ),
]
RayAddress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="[ADDRESS]",
        help="Ingest with many workers on Ray (pip install 'samdb\\[ray]'): one that runs (auto, "
        "host:6379 or ray://host:10001), or without an address one of its own on this machine.",
        show_default=False,
    ),
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="How many workers on Ray, each with a SAM of its own.",
        show_default="one per GPU, else one per CPU",
    ),
]
GpusPerWorker: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        min=0.0,
        help="GPUs of each worker; 0.5 puts two on one.",
        show_default="1 if there are any",
    ),
]
CpusPerWorker: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--cpus-per-worker",
        min=0.1,
        help="CPUs of each worker, and the threads of its SAM.",
        show_default="1, or the CPUs shared out among --workers",
    ),
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object per line instead of a table.")
]
Filters: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only segments that match, such as class_name=car, timeofday=night or 'area_px>=2000'. "
        "Repeat it: all must hold.",
        show_default=False,
    ),
]


_ADDRESS = re.compile(r"local|auto|ray://\S+|[^/\s]+:\d+")


class BareRay(typer.core.TyperCommand):
    """A command whose --ray needs no address."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `local` where --ray is not followed by an address."""
        for i in range(len(args) - 1, -1, -1):
            if args[i] == "--ray" and not (i + 1 < len(args) and _ADDRESS.fullmatch(args[i + 1])):
                args[i + 1 : i + 1] = ["local"]
        return super().parse_args(ctx, args)


def overrides(
    *,
    store: str | None = None,
    model: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    runtime: str | None = None,
    automatic: str | None = None,
    points_per_side: int | None = None,
    crop_layers: int | None = None,
    tuning: str | None = None,
) -> Mapping[str, str | float | bool | Path | None]:
    """Options as settings; None leaves the environment's value."""
    return {
        "store": store,
        "model": model,
        "device": device,
        "precision": precision,
        "runtime": runtime,
        "automatic": automatic,
        "points_per_side": points_per_side,
        "crop_layers": crop_layers,
        "tuning": tuning,
    }
