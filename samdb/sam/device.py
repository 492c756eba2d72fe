"""Where and how precisely the networks run, and the allocator setting that halves the cost on Linux CPUs."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch

from samdb.errors import ConfigError

Precision: TypeAlias = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Compute:
    """A device (`cpu`, `cuda`, `cuda:1`, `mps`) and the precision of the heavy matrix products."""

    device: str
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of `precision`."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Pick the best device and the fastest safe precision, or check the ones asked for.

    Automatic precision is bf16 where the hardware multiplies it natively (CUDA from Ampere, CPUs with
    avx512_bf16 or AMX), else fp32. float16 is not offered: on a CPU it runs at about 1 GFLOP/s.

    Raises ConfigError on a device that is not there or a precision that does not exist.
    """
    name = _best_device() if device == "auto" else device
    try:
        kind = torch.device(name).type
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as exc:
        raise ConfigError(f"the device {name!r} cannot be used here ({exc}); try --device cpu") from exc
    if precision == "auto":
        return Compute(name, "bf16" if _multiplies_bf16(kind) else "fp32")
    if precision not in ("fp32", "bf16"):
        raise ConfigError(f"unknown precision {precision!r}: use auto, fp32 or bf16")
    return Compute(name, "bf16" if precision == "bf16" else "fp32")


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _multiplies_bf16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if kind == "cpu":
        # private, but the only question torch answers about the CPU; absent on other builds
        asks = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
        return any(ask() for ask in asks if ask is not None)
    return False


def use_threads(n: int) -> None:
    """Let torch, and OpenVINO after it, use so many threads on the CPU."""
    torch.set_num_threads(n)


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to reuse large blocks instead of returning them to the kernel.

    Half of the decoder's CPU time is page faults on fresh blocks otherwise; results are identical. Returns
    whether it could be set (Linux with glibc only). Parameters: M_MMAP_MAX = -4 (no mmap), M_TRIM_THRESHOLD
    = -1 (no trim), M_TOP_PAD = -2 (grow by 64 MiB).
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    settings = ((-4, 0), (-1, 2**31 - 1), (-2, 64 << 20))
    done = [libc.mallopt(name, value) for name, value in settings]
    return done == [1, 1, 1]
