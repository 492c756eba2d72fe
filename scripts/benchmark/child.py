"""One measured process: reads a plan from stdin, does it, prints the answer as the last line of stdout."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samdb.errors import SamdbError
from scripts.benchmark.machine import current_mb
from scripts.benchmark.plan import Measured, Plan

if TYPE_CHECKING:
    from scripts.benchmark.workloads import Tally

_ENCODER_TIMES, _DECODER_TIMES = 5, 5


def main() -> int:
    """Do one plan."""
    plan = Plan.from_json(sys.stdin.read())
    try:
        answer = do(plan)
    except SamdbError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    print(json.dumps(answer))
    return 0


def do(plan: Plan) -> dict[str, Any]:
    """The answer to a plan, as JSON knows it."""
    if plan.side == "stock":
        from scripts.benchmark.stock_model import prepare_imports

        prepare_imports()  # before samdb's own imports of segment_anything
    import torch

    torch.manual_seed(0)
    if plan.task == "gemm":
        from scripts.benchmark.gemm import measure_gemm

        gpu = {"gpu": torch.cuda.get_device_name(plan.device)} if plan.device.startswith("cuda") else {}
        return {**measure_gemm(plan.device), **gpu}
    if plan.task == "bank":
        return _build_bank(plan)
    if plan.task == "flops":
        from scripts.benchmark.count import count

        return asdict(count(plan))
    return asdict(_measure(plan))


def _measure(plan: Plan) -> Measured:
    import torch

    import scripts.benchmark.workloads  # noqa: F401  (what it imports belongs to the baseline)

    baseline = current_mb()
    if plan.benchmark in ("encoder", "decoder"):
        tally, encoder, precision = _networks(plan)
    else:
        tally, encoder, precision = _segmenter(plan)
    if plan.masks_file:
        tally.write_masks(Path(plan.masks_file))
    return Measured(
        tally.seconds,
        tally.n_images,
        tally.n_masks,
        tally.n_encoded,
        tally.n_prompts,
        tally.peak_mb,
        baseline,
        tally.cpu_s,
        encoder,
        precision,
        torch.get_num_threads(),
    )


def _networks(plan: Plan) -> tuple[Tally, str, str]:
    from scripts.benchmark import networks
    from scripts.benchmark.workloads import repeated

    times = _ENCODER_TIMES if plan.benchmark == "encoder" else _DECODER_TIMES
    if plan.side == "stock":
        from scripts.benchmark.stock_model import load_stock

        prepare, name = networks.stock(plan, load_stock(plan).sam), "torch-fp32"
    else:
        prepare, name = networks.ours(plan)
    return repeated(plan, prepare, times), name, name.rpartition("-")[2]


def _segmenter(plan: Plan) -> tuple[Tally, str, str]:
    from scripts.benchmark import workloads

    segmenter: Any
    if plan.side == "stock":
        from scripts.benchmark.stock_model import load_stock

        segmenter, encoder, precision = load_stock(plan), "torch-fp32", "fp32"
        warm_up = segmenter.warm_up
    else:
        from samdb.sam.device import choose_compute
        from scripts.benchmark.ours import load_ours

        segmenter = load_ours(plan)
        encoder = getattr(getattr(segmenter, "_encoder", None), "name", "?")
        precision = choose_compute(plan.device, plan.precision).precision

        def warm_up(pixels: NDArray[np.uint8]) -> None:
            segmenter.automatic(segmenter.encode(pixels))

    if plan.benchmark == "ingest":
        tally = workloads.ingest(plan, segmenter)
    elif plan.benchmark == "auto":
        tally = workloads.automatic(plan, segmenter, warm_up)
    else:
        tally = workloads.classify(plan, segmenter, warm_up)
    return tally, encoder, precision


def _build_bank(plan: Plan) -> dict[str, Any]:
    """A store with a bank for `classify`, made once with samdb and shared by both sides."""
    from samdb.api import Database
    from scripts.benchmark.ours import settings_of

    with Database(settings_of(plan, plan.store)) as db:
        db.ingest(plan.data, split=plan.split or None, prompts="labels", limit=plan.limit)
        report = db.build_bank()
    return {"bank": report.card.label}


if __name__ == "__main__":
    raise SystemExit(main())
