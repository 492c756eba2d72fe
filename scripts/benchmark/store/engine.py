"""What a store is, to the benchmark: it is built from batches of points, opened again, and asked."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from scripts.benchmark.machine import memory_mb, peak_mb
from scripts.benchmark.store.points import CHUNK, Payload, Points, Vectors, point_id
from scripts.benchmark.store.timing import Way


@dataclass(frozen=True, slots=True)
class Batch:
    """Points that are written together: the first one's number, ids, embeddings (B, D) and payloads."""

    start: int
    ids: Sequence[str]
    vectors: Vectors
    payloads: Sequence[Payload]

    def __len__(self) -> int:
        return len(self.ids)


T = TypeVar("T")


class Engine(ABC, Generic[T]):
    """One store. What it answers are names of points: `name(i)` is the i-th's."""

    #: whether answers carry the payload
    payload = False

    @abstractmethod
    def create(self, place: Path, dim: int, n: int) -> None:
        """Make an empty store for n points of this dimension in a folder."""

    @abstractmethod
    def ready(self, batch: Batch) -> T:
        """The batch in the form in which a program that uses this store has its points; not measured."""

    @abstractmethod
    def load(self, ready: T) -> None:
        """Write a batch."""

    @abstractmethod
    def open(self, place: Path) -> None:
        """Open what was built, in another process."""

    @abstractmethod
    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        """The names of the k points nearest to each row, best first; of one class when it is given."""

    def name(self, i: int) -> str:
        """What the i-th point is called in answers."""
        return point_id(i)

    def loaded(self) -> None:
        """All is written: make it durable, where it is not yet."""
        return

    def index(self) -> None:
        """Make the points quick to find, where that is not done yet."""
        return

    def close(self) -> None:
        """Let go."""
        return

    def more_ways(self, asked: Vectors, k: int, n: int) -> list[Way]:
        """Further ways to ask the rows of `asked`, of a store of n points; timed beside `query`."""
        return []

    def cpu_s(self) -> float:
        """CPU seconds that the store has used so far, this process included."""
        return time.process_time()

    def memory_mb(self) -> tuple[float, float]:
        """Memory of the process that holds the store: its own, and mapped files."""
        return memory_mb()

    def peak_mb(self) -> float:
        """The most memory that this process has held."""
        return peak_mb()


class PlainEngine(Engine[Batch]):
    """A store that takes vectors and payloads as they are."""

    def ready(self, batch: Batch) -> Batch:
        return batch


class Feed(Generic[T]):
    """Hands out the points in batches and keeps account of the time that making them took."""

    def __init__(self, points: Points, batch: int, ready: Callable[[Batch], T]) -> None:
        self._points = points
        self._batch = batch
        self._ready = ready
        self.seconds = 0.0
        self.cpu_s = 0.0

    def __iter__(self) -> Iterator[T]:
        for start in range(0, len(self._points), CHUNK):
            stop = min(start + CHUNK, len(self._points))
            began, cpu = time.perf_counter(), time.process_time()
            vectors = self._points.vectors(start, stop)
            payloads = list(self._points.payloads(start, stop))
            ids = [point_id(i) for i in range(start, stop)]
            parts = [slice(at, at + self._batch) for at in range(0, stop - start, self._batch)]
            made = [self._ready(Batch(start + p.start, ids[p], vectors[p], payloads[p])) for p in parts]
            self.seconds += time.perf_counter() - began
            self.cpu_s += time.process_time() - cpu
            yield from made
