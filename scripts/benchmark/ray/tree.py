"""CPU time of a process with all that it starts, also what becomes a daemon, as Ray's processes do."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_EVERY_S = 0.1
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl


def adopt_orphans() -> bool:
    """Become the parent of descendants whose own parent ends; False where the system has no such thing."""
    try:
        return bool(ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


class Tree:
    """Watches all processes that are started below this one, ten times a second, and ends those left at the
    end. Use it in a `with` block around one child.
    """

    def __init__(self) -> None:
        self._others: set[int] = set()
        self._seen: dict[tuple[int, int], float] = {}
        self._samples: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Tree:
        self._others = {pid for pid, _ in self._below()}
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._look()
        left = [pid for pid, _ in self._below()]
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def cpu_s(self, began: float, ended: float) -> float:
        """CPU seconds between two moments of `time.monotonic`."""
        return self._at(ended) - self._at(began)

    def _at(self, moment: float) -> float:
        """CPU seconds used up to a moment, between two looks in proportion."""
        before = self._samples[0]
        for after in self._samples:
            if after[0] >= moment:
                gap = after[0] - before[0]
                share = (moment - before[0]) / gap if gap > 0 else 1.0
                return before[1] + max(0.0, share) * (after[1] - before[1])
            before = after
        return before[1]

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        for pid, fields in self._below():
            used = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            self._seen[pid, int(fields[19])] = used  # a number is given again; not with that time of start
        self._samples.append((time.monotonic(), sum(self._seen.values())))

    def _below(self) -> list[tuple[int, list[str]]]:
        """The processes below this one, each with what /proc/PID/stat says after its name."""
        stats: dict[int, list[str]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError, IndexError):
                    stats[int(entry.name)] = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        below, fresh = {os.getpid()}, {os.getpid()}
        while fresh:
            fresh = {pid for pid, fields in stats.items() if int(fields[1]) in fresh} - below
            below |= fresh
        return [(pid, stats[pid]) for pid in below - {os.getpid()} - self._others]
