"""What one process of `scripts/bench ray` is told, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Side:
    """A way to ingest. `workers` 0 is a plain one, without Ray. It may use `cores` of the machine's cores,
    and is compared with its `rival`, another side's name.
    """

    name: str
    workers: int
    cores: int
    rival: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A side, and what it ingests: the first `limit` images of a dataset or its `split`."""

    side: Side
    data: str
    split: str
    limit: int
    model: str
    store: str

    def to_json(self) -> str:
        """For the process's standard input."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read it there."""
        raw = json.loads(text)
        return cls(**{**raw, "side": Side(**raw["side"])})


@dataclass(frozen=True, slots=True)
class Times:
    """One ingest: `seconds` and `cpu_s` from the first image's start to the last one's write; before that it
    took `start_s` from the process's start, of which Ray itself took `ray_s`, with `start_cpu_s`. CPU seconds
    are of all processes that the run had, Ray's own too.
    """

    n_images: int
    n_segments: int
    n_workers: int
    seconds: float
    cpu_s: float
    start_s: float
    start_cpu_s: float
    ray_s: float


#: does a task in a process of its own
Start = Callable[[Task], Times]


def sides(n_cores: int) -> list[Side]:
    """Plain and on Ray with all cores, and both with half of them for each SAM.

    Two workers are compared with twice what a plain ingest does on half of the cores: what two machines of
    that size would do.
    """
    half = max(1, n_cores // 2)
    return [
        Side("plain", 0, n_cores),
        Side("--ray --workers 1", 1, n_cores, "plain"),
        Side("plain on half", 0, half),
        Side("--ray --workers 2", 2, 2 * half, "plain"),
    ]
