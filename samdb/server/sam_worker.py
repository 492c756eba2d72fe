"""SAM's one thread: it is asked one thing at a time, and those who wait are few."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from samdb.server.errors import ApiError

_T = TypeVar("_T")


class SamWorker:
    """Runs jobs one after the other in a thread of its own.

    At most `queue` jobs wait; of one client at most half of them, so that nobody keeps all others out.
    """

    def __init__(self, queue: int) -> None:
        self._queue = queue
        self._per_client = max(1, queue // 2)
        self._pool = ThreadPoolExecutor(1, "samdb-sam")
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._usual_s = 1.0

    @property
    def under_way(self) -> int:
        """Jobs that run or wait."""
        with self._lock:
            return self._under_way.total()

    def run(self, client: str, job: Callable[[], _T]) -> _T:
        """The job's answer, when its turn has come. Raises ApiError 503 when too many wait already."""
        with self._lock:
            n = self._under_way.total()
            if n > self._queue or self._under_way[client] > self._per_client:
                wait_s = max(1, math.ceil(n * self._usual_s))
                raise ApiError(
                    503,
                    "busy",
                    f"Segment Anything is busy with {n} others: try again in {wait_s} s",
                    {"Retry-After": str(wait_s)},
                )
            self._under_way[client] += 1
        try:
            return self._pool.submit(self._timed, job).result()
        finally:
            with self._lock:
                self._under_way[client] -= 1
                if not self._under_way[client]:
                    del self._under_way[client]

    def close(self) -> None:
        """Finish the job under way, drop those that wait."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _timed(self, job: Callable[[], _T]) -> _T:
        began = time.monotonic()
        try:
            return job()
        finally:
            self._usual_s += 0.2 * (time.monotonic() - began - self._usual_s)
