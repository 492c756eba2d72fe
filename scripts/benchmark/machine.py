"""What the benchmark ran on, and how busy it was with other things."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: instruction sets that decide what a matrix product costs
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8", "neon", "asimd", "bf16")
_PACKAGES = ("torch", "openvino", "torchvision", "segment-anything", "numpy")


def machine() -> dict[str, str | int | float]:
    """The CPU's name, its cores, instruction sets and memory, and the system."""
    cpu = _cpu_info()
    flags = cpu.get("flags", cpu.get("Features", "")).split()
    return {
        "cpu": cpu.get("model name", platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "isa": " ".join(flag for flag in _FLAGS if flag in flags),
        "ram_gb": round(_ram_bytes() / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """The installed versions of what does the work; packages that are not there are left out."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The short commit hash, `+changes` when the working tree differs from it, `unknown` without git."""
    try:
        short = _git("rev-parse", "--short", "HEAD")
        return f"{short} +changes" if _git("status", "--porcelain") else short
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def current_mb() -> float:
    """Memory this process holds now, in MB; 0 where the system does not tell."""
    return _status_mb("VmRSS:")


def memory_mb() -> tuple[float, float]:
    """Memory this process holds: its own, and mapped files, which the system can take back; in MB."""
    return _status_mb("RssAnon:"), _status_mb("RssFile:")


def peak_mb() -> float:
    """The most memory this process has held so far, in MB."""
    peak = _status_mb("VmHWM:")  # getrusage gives a child its parent's peak on Linux
    if peak:
        return peak
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def busy_seconds() -> float | None:
    """CPU seconds that all processes of the machine have used since it started; None where it is not told."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(v) for v in fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def children_cpu_seconds() -> float:
    """CPU seconds of the processes this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def load_average() -> float | None:
    """Processes that wanted a core, over the last minute; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None


def _cpu_info() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    found: dict[str, str] = {}
    for key, _, value in pairs:
        found.setdefault(key.strip(), value.strip())
    return found


def _ram_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0


def _status_mb(key: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(key)), 0.0)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
