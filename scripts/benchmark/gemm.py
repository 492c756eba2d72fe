"""The machine's measured peak: one large matrix product in torch, all threads."""

from __future__ import annotations

import time

import torch

from scripts.benchmark.timing import synchronise

#: side of the square matrices; smaller where one product would take too long
_SIDES = (4096, 2048, 1024)
_SECONDS, _TIMES = 2.5, 20


def gemm_flops(side: int) -> float:
    """Operations of one (side, side) x (side, side) product, a multiply-add counted as two."""
    return 2.0 * side**3


def measure_gemm(device: str) -> dict[str, float]:
    """Precision -> floating point operations per second, the best of several products."""
    return {
        "fp32": _peak(device, torch.float32),
        "bf16": _peak(device, torch.bfloat16),
    }


def _peak(device: str, dtype: torch.dtype) -> float:
    with torch.inference_mode():
        # a CPU without bf16 may need minutes for the large one: the small product tells
        guess = _best(device, dtype, 512, times=3)
        side = next((s for s in _SIDES if gemm_flops(s) / guess < 2.0), _SIDES[-1])
        return _best(device, dtype, side, times=_TIMES)


def _best(device: str, dtype: torch.dtype, side: int, times: int) -> float:
    a, b = (torch.rand(side, side).to(device, dtype) for _ in range(2))
    best, started = float("inf"), time.perf_counter()
    for i in range(times + 1):
        synchronise(device)
        begun = time.perf_counter()
        torch.matmul(a, b)
        synchronise(device)
        if i:  # the first one warms up
            best = min(best, time.perf_counter() - begun)
        if i and time.perf_counter() - started > _SECONDS:
            break
    return gemm_flops(side) / best
