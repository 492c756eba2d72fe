"""samdb's side, through the doors that a user of samdb has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samdb import wiring
from samdb.config import Settings, load_settings
from scripts.benchmark.plan import Plan

if TYPE_CHECKING:
    from samdb.ports import Segmenter
    from samdb.sam.device import Compute
    from samdb.sam.encoder import ImageEncoder
    from samdb.sam.networks import Networks

_RANDOM = "random weights"


def settings_of(plan: Plan, store: str = "memory:", runtime: str = "") -> Settings:
    """samdb's settings for a plan; what is not named stays as the environment or the default has it."""
    wanted: dict[str, str | int | Path | None] = {
        "store": store,
        "model": plan.model,
        "checkpoint": Path(plan.checkpoint) if plan.checkpoint else None,
        "device": plan.device,
        "precision": plan.precision,
        "points_per_side": plan.points_per_side,
        "automatic": plan.mode or None,
        "runtime": runtime or None,
    }
    return load_settings({k: v for k, v in wanted.items() if k in Settings.model_fields})


def load_ours(plan: Plan, runtime: str = "") -> Segmenter:
    """samdb's segmenter as `samdb` itself loads it; `runtime` replaces the encoder's."""
    return wiring.load_segmenter(settings_of(plan, runtime=runtime))


def load_networks(plan: Plan, runtime: str = "") -> tuple[Networks, Compute, ImageEncoder]:
    """The networks alone and the encoder on its runtime; random weights where the plan has no checkpoint."""
    from samdb.sam import networks as sam
    from samdb.sam.checkpoints import checkpoint_of
    from samdb.sam.device import choose_compute, keep_freed_memory
    from samdb.sam.runtimes import load_encoder

    settings = settings_of(plan, runtime=runtime)
    compute = choose_compute(settings.device, settings.precision)
    if compute.device == "cpu":
        keep_freed_memory()
    if plan.checkpoint:
        path, sha256 = Path(plan.checkpoint), checkpoint_of(plan.model).sha256
        networks = sam.load_networks(plan.model, path)
    else:
        # what is kept beside a checkpoint goes to the benchmark's own folder
        path, sha256 = Path(plan.cache) / "random.pt", _RANDOM
        networks = sam.build_networks(plan.model)
    return networks, compute, load_encoder(networks, compute, settings.runtime, path, sha256)
