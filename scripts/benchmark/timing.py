"""Timing one piece of work, also where a GPU works on after the call has returned."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """A result with the wall and CPU seconds (of all threads) it took."""

    result: T
    seconds: float
    cpu_s: float


def timed(work: Callable[[], T], device: str) -> Timed[T]:
    """Do the work once."""
    synchronise(device)
    cpu, started = time.process_time(), time.perf_counter()
    result = work()
    synchronise(device)
    return Timed(result, time.perf_counter() - started, time.process_time() - cpu)


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given; nothing to wait for on a CPU."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
