"""Asking the same questions in several ways, in turn, so that a slow spell of the machine hits them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scripts.benchmark.store.plan import Filtered
from scripts.benchmark.store.points import Vectors
from scripts.benchmark.store.truth import recall

#: asked before anything is timed: what is read from the disk for the first time takes a millisecond a query
_WARM_UP = 300
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask question i, of one class when it is given; answers names of points, best first.

    `beside` names the way whose time this one's is compared with. `exact` is whether the answers are the
    nearest points, so that they can be held against the exact ones, `filters` whether it takes a class.
    """

    name: str
    payload: bool
    ask: Callable[[int, str | None], list[str]]
    beside: str | None = None
    exact: bool = True
    filters: bool = True


@dataclass(frozen=True, slots=True)
class Timed:
    """One way's times over all questions; `overhead` is its median by that of another way."""

    p50_ms: float
    p95_ms: float
    cpu_ms: float
    recall: float | None
    overhead: float | None


def asked_in_turn(
    ways: Sequence[Way], n: int, wanted: Sequence[Sequence[str]], class_name: str | None = None
) -> list[Timed]:
    """Ask all ways all n questions, in turn.

    Each way begins elsewhere among them: the second to ask a question finds in the processor's caches what it
    needs, and seemed faster than the engine's own call that it makes.
    """
    for i in range(min(_WARM_UP, n)):
        for way in ways:
            way.ask(i, class_name)
    wall = np.zeros((len(ways), n))
    cpu = np.zeros((len(ways), n))
    answers: list[list[list[str]]] = [[[] for _ in range(n)] for _ in ways]
    for i in range(n):
        for turn in range(len(ways)):
            at = (turn + i) % len(ways)
            asked = (i + at * n // len(ways)) % n
            began_cpu, began = time.process_time(), time.perf_counter()
            answers[at][asked] = ways[at].ask(asked, class_name)
            wall[at, asked] = time.perf_counter() - began
            cpu[at, asked] = time.process_time() - began_cpu
    row = {way.name: at for at, way in enumerate(ways)}
    median = np.median(wall, axis=1)
    return [
        Timed(
            p50_ms=1e3 * float(median[at]),
            p95_ms=1e3 * float(np.quantile(wall[at], 0.95)),
            cpu_ms=1e3 * float(np.median(cpu[at])),
            recall=recall(answers[at], wanted) if way.exact else None,
            overhead=None if way.beside is None else float(median[at] / median[row[way.beside]]),
        )
        for at, way in enumerate(ways)
    ]


def filtered(
    ways: Sequence[Way], n: int, wanted: Mapping[str, Sequence[Sequence[str]]], shares: Mapping[str, float]
) -> dict[str, tuple[Filtered, ...]]:
    """The same with each class as a filter, by the ways' names."""
    able = [way for way in ways if way.filters]
    found: dict[str, list[Filtered]] = {way.name: [] for way in ways}
    for name, share in shares.items():
        for way, timed in zip(able, asked_in_turn(able, n, wanted[name], name), strict=True):
            row = Filtered(name, share, timed.p50_ms, timed.p95_ms, timed.recall or 0.0, timed.overhead)
            found[way.name].append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def batch_qps(query: Callable[[Vectors], object], asked: Vectors) -> float:
    """Questions a second when they are asked 64 at a time."""
    parts = [asked[at : at + _BATCH] for at in range(0, len(asked), _BATCH)]
    query(parts[0])
    began = time.perf_counter()
    for part in parts:
        query(part)
    return len(asked) / (time.perf_counter() - began)
