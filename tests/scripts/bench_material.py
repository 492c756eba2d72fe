"""Hand-made plans and results of the benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scripts.benchmark.plan import Measured, Plan

OURS = Plan(
    task="measure",
    benchmark="auto",
    side="samdb",
    data="",
    split="",
    limit=0,
    images=("a.jpg", "b.jpg"),
    model="vit_t",
    checkpoint="",
    device="cpu",
    precision="auto",
    mode="exact",
)
STOCK = replace(OURS, side="stock", mode="")


def measured(times: list[float], **changes: Any) -> Measured:
    """What a process measured of images that took these seconds; `changes` are fields that differ."""
    fields: dict[str, Any] = {
        "seconds": {"": times},
        "n_images": len(times),
        "n_masks": [3] * len(times),
        "n_encoded": 0,
        "n_prompts": 0,
        "peak_mb": 500.0,
        "baseline_mb": 300.0,
        "cpu_s": 2.0,
        "encoder": "torch-fp32",
        "precision": "fp32",
        "threads": 2,
    }
    return Measured(**{**fields, **changes})
