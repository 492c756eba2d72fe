"""What the store benchmark's processes are told and what they answer, as JSON on stdin and stdout."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias

Task: TypeAlias = Literal["truth", "build", "serve"]

#: the class of a filter; None is no filter
Wanted: TypeAlias = str | None


@dataclass(frozen=True, slots=True)
class StorePlan:
    """One process: `task` on n points with `engine`.

    `folder` holds the seeds and the exact neighbours, `place` what the engine keeps. `filters` are classes.
    `seed` is the seed number of the points, `batch` how many are written together, `tuning` how samdb's own
    stores are laid out.
    """

    task: Task
    engine: str
    folder: str
    place: str
    n: int
    queries: int
    k: int
    recipe: str
    model: str
    filters: tuple[str, ...] = ()
    seed: int = 0
    batch: int = 1000
    server: str = ""
    tuning: str = ""

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StorePlan:
        """Read what `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "filters": tuple(fields["filters"])})


@dataclass(frozen=True, slots=True)
class Built:
    """What building took; making the points is in none of the figures.

    `load` is writing the points until they are durable, `index` making them quick to find afterwards (0 where
    the engine does both at once); in seconds of wall and CPU time, of all of the engine's threads.
    """

    load_s: float
    load_cpu_s: float
    index_s: float
    index_cpu_s: float
    peak_mb: float
    disk_mb: float


@dataclass(frozen=True, slots=True)
class Filtered:
    """One way to search with a filter on the class, which so large a share of the points has."""

    class_name: str
    share: float
    p50_ms: float
    p95_ms: float
    recall: float
    overhead: float | None


@dataclass(frozen=True, slots=True)
class Served:
    """What searching took, in a process of its own that opened what was built.

    `payload` says whether answers carry it. `overhead` is this way's median time by that of the engine's own
    call, asked in turn; None where this is the engine's own call. Memory after all queries: `anon_mb` is the
    process's own, `file_mb` mapped files, which the system takes back when it must;
    `open_mb` is both before the first query, `imports_mb` before anything was opened.
    """

    name: str
    payload: bool
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    batch_qps: float | None
    recall: float | None
    overhead: float | None
    open_s: float
    imports_mb: float
    open_mb: float
    anon_mb: float
    file_mb: float
    filtered: tuple[Filtered, ...] = field(default_factory=tuple)
