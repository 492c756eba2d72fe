"""Time samdb beside the stock code on this machine: `scripts/bench ingest|auto|classify|encoder|decoder`.

`scripts/bench store` compares stores instead, `scripts/bench ray` ingests with and without Ray; both have
options of their own: `scripts/bench store --help`.

Both sides run in turn, each time in a process of its own, with their own defaults and the same weights. The
stock side is `segment_anything`'s SamPredictor and SamAutomaticMaskGenerator with MobileSAM's own encoder;
reading, pooling, storing and classifying are samdb's for both. Without --data the demo's photographs serve.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from samdb.config import Settings, load_settings
from samdb.errors import ConfigError, SamdbError
from samdb.sam.weights import find, resolve, user_weights_dir
from scripts.benchmark import serving
from scripts.benchmark.machine import commit, load_average, machine, versions
from scripts.benchmark.material import Material, choose_material
from scripts.benchmark.plan import Flops, Plan
from scripts.benchmark.ray import command as ray_command
from scripts.benchmark.report import Report, show
from scripts.benchmark.results import matched_share, ratios, read_masks, rows
from scripts.benchmark.runs import Run, Start, measure_in_turn, start_process

#: images that are timed unless told otherwise; the stock side needs about a minute for one of `auto`
_IMAGES = {"ingest": 16, "auto": 2, "classify": 2, "encoder": 1, "decoder": 1}
_BATCHES = {("encoder", "cpu"): (1,), ("decoder", "cpu"): (16, 64), ("encoder", "gpu"): (1, 8, 32)}
_GPU_DECODER = (64, 256)
#: labelled images that the bank of `classify` is built from
_BANK_IMAGES = 12


def main(arguments: Sequence[str] | None = None, start: Start = start_process) -> int:
    """Run one benchmark and print it."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["serve"]:
        return serving.main(words[1:])
    if words[:1] == ["store"]:
        from scripts.benchmark.store.command import main as store

        return store(words[1:])
    if words[:1] == ["ray"]:
        return ray_command.main(words[1:])
    options = parser().parse_args(words)
    try:
        report = run(options, start)
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    if options.json:
        print(report.to_json())
    else:
        show(report)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("benchmark", choices=list(_IMAGES))
    made.add_argument(
        "--data", type=Path, help="a BDD100K or COCO folder (default: 20 photographs, fetched once)"
    )
    made.add_argument("--images", type=int, help="how many images are timed in each round")
    made.add_argument("--n", type=int, default=3, help="rounds (default 3)")
    made.add_argument("--model", default="vit_t", help="vit_t, vit_b, vit_l or vit_h (default vit_t)")
    made.add_argument(
        "--mode", choices=("exact", "fast", "both"), default="both", help="samdb's automatic masks"
    )
    made.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1")
    made.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="samdb's precision"
    )
    made.add_argument(
        "--points-per-side", type=int, default=32, help="grid of automatic masks, of both sides"
    )
    made.add_argument("--batch-sizes", help="for encoder and decoder, such as 1,8,32")
    made.add_argument("--json", action="store_true", help="print one JSON object")
    return made


def run(options: argparse.Namespace, start: Start) -> Report:
    """Do all of one benchmark. Raises SamdbError when a process fails or the options cannot be used."""
    if options.n < 1 or (options.images or 1) < 1:
        raise ConfigError("--n and --images must be at least 1")
    load_before, measured_commit = load_average(), commit()  # the working tree may move on meanwhile
    checkpoint = _checkpoint(options.model, options.benchmark)
    alone = options.benchmark in ("encoder", "decoder")
    material = (
        Material.none()
        if alone
        else choose_material(options.data, options.images or _IMAGES[options.benchmark])
    )
    with tempfile.TemporaryDirectory(prefix="samdb-bench-") as folder:
        plans = [replace(p, masks_file=_masks_file(folder, p)) for p in _plans(options, material, checkpoint)]
        plans = [replace(p, store=str(Path(folder) / "bank")) for p in plans]
        _tell("the machine's matrix product")
        gemm = start(replace(plans[0], task="gemm"))
        gpu = {"gpu": gemm.pop("gpu")} if "gpu" in gemm else {}
        if options.benchmark == "classify":
            _tell("a bank for both sides")
            start(replace(plans[0], task="bank", split=material.bank_split, limit=_BANK_IMAGES))
        flops = {}
        for plan in plans:
            _tell(f"counting operations: {plan.name}")
            flops[plan.name] = Flops(**start(replace(plan, task="flops", masks_file="")))
        runs = measure_in_turn(plans, options.n, start, _tell)
        matched = _matched(plans)
    return Report(
        benchmark=options.benchmark,
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        commit=measured_commit,
        machine={**machine(), **gpu},
        versions=versions(),
        threads=runs[0].measured.threads,
        device=options.device,
        model=options.model,
        weights="published weights" if checkpoint else "random weights",
        data=material.shown,
        n_images=runs[0].measured.n_images,
        rounds=options.n,
        points_per_side=options.points_per_side,
        gemm=gemm,
        rows=rows(runs, flops, gemm, matched),
        ratios=ratios(runs),
        flops=flops,
        notes=notes(options, checkpoint),
        warnings=warnings(load_before, runs),
    )


def notes(options: argparse.Namespace, checkpoint: str) -> list[str]:
    """How the figures are to be read."""
    said = ["stock: fp32, torch's default allocator and layout"]
    if options.benchmark == "ingest":
        said[0] += ", all of an image's boxes in one call"
    if options.benchmark in ("auto", "classify"):
        said[0] += ", 64 points per batch"
    if options.model == "vit_t":
        said.append("stock's encoder is MobileSAM's own code, batch norms as they are")
    if not checkpoint:
        said.append(f"no checkpoint of {options.model} is here: random weights, nothing is drawn from them")
    if options.benchmark in ("ingest", "classify"):
        said.append("stock: one decoder pass per box; samdb's pooling, nesting, store and bank on both sides")
    if options.benchmark == "ingest":
        said.append("s/image is the run's time by its images, reading and writing included")
    if options.benchmark == "auto":
        said.append("encoding included, reading the file not; masks counted on the timed images")
    said.append("samdb's operations are counted with its encoder on torch, also where OpenVINO runs it")
    if "fast" in (options.mode, "both") and options.benchmark in ("auto", "classify") and not _has_modes():
        said.append("this samdb knows one way to make automatic masks: shown as exact")
    return said


def warnings(load_before: float | None, runs: Sequence[Run]) -> list[str]:
    """Why the figures may be wrong: fewer than three rounds, other jobs on the machine."""
    said = []
    rounds = sum(run.plan.name == runs[0].plan.name for run in runs)
    if rounds < 3:
        said.append(f"{rounds} round(s): not a measurement, use --n 3 or more")
    if load_before is not None and load_before > 0.5:
        said.append(
            f"the load average was {load_before:.1f} before anything was started: other jobs are running"
        )
    others = [run.others_cores for run in runs if run.others_cores is not None]
    if others and max(others) > 0.1:
        said.append(f"other processes kept up to {max(others):.1f} cores busy during a run")
    return said


def _plans(options: argparse.Namespace, material: Material, checkpoint: str) -> list[Plan]:
    """samdb, in each of the modes asked for, and stock."""
    ours = Plan(
        task="measure",
        benchmark=options.benchmark,
        side="samdb",
        data=str(material.data),
        split=material.split,
        limit=material.limit,
        images=tuple(map(str, material.images)),
        model=options.model,
        checkpoint=checkpoint,
        device=options.device,
        precision=options.precision,
        points_per_side=options.points_per_side,
        batch_sizes=_batch_sizes(options),
        cache=str(user_weights_dir().parent / "benchmark"),
    )
    modes: list[str] = [""]
    if options.benchmark in ("auto", "classify"):
        modes = ["exact", "fast"] if options.mode == "both" else [options.mode]
        if not _has_modes():
            modes = ["exact"]
    return [*(replace(ours, mode=mode) for mode in modes), replace(ours, side="stock")]


def _has_modes() -> bool:
    return "automatic" in Settings.model_fields


def _batch_sizes(options: argparse.Namespace) -> tuple[int, ...]:
    if options.batch_sizes is None:
        kind = "cpu" if options.device == "cpu" else "gpu"
        return _BATCHES.get((options.benchmark, kind), _GPU_DECODER)
    try:
        sizes = tuple(int(text) for text in options.batch_sizes.split(","))
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise ConfigError(f"--batch-sizes {options.batch_sizes!r}: give whole numbers from 1, such as 1,8,32")
    return sizes


def _checkpoint(model: str, benchmark: str) -> str:
    """The model's file; "" when it is not here and random weights do. MobileSAM's is fetched (40 MB)."""
    settings = load_settings({"model": model})
    if model == "vit_t":
        return str(resolve(model, settings.checkpoint, settings.weights_dir))
    found = find(model, settings.checkpoint, settings.weights_dir)
    if found is None and benchmark not in ("encoder", "decoder"):
        raise ConfigError(
            f"{benchmark} draws masks, which random weights cannot: run `samdb weights pull {model}` first, "
            "or time `encoder` and `decoder`"
        )
    return "" if found is None else str(found)


def _masks_file(folder: str, plan: Plan) -> str:
    return str(Path(folder) / f"{plan.name}.json") if plan.benchmark == "auto" else ""


def _matched(plans: Sequence[Plan]) -> dict[str, float]:
    """For each samdb side the share of the stock masks it found in the last round."""
    stock = next(p for p in plans if p.side == "stock")
    if not stock.masks_file:
        return {}
    theirs = read_masks(Path(stock.masks_file))
    shares = {p.name: matched_share(theirs, read_masks(Path(p.masks_file))) for p in plans if p is not stock}
    return {name: share for name, share in shares.items() if share is not None}


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
