"""Things worth keeping for a while: the least recently used ones go first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class SizedCache(Generic[_T]):
    """Values by key, up to a total size; any thread may use it."""

    def __init__(self, max_size: int, size_of: Callable[[_T], int]) -> None:
        self._max_size = max_size
        self._size_of = size_of
        self._held: OrderedDict[Hashable, _T] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _T | None:
        """The value, None when it is not here."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, value: _T) -> _T:
        """Keep a value, if it fits at all, and give it back."""
        size = self._size_of(value)
        with self._lock:
            old = self._held.pop(key, None)
            self._size -= 0 if old is None else self._size_of(old)
            if size <= self._max_size:
                self._held[key] = value
                self._size += size
            while self._size > self._max_size:
                _, gone = self._held.popitem(last=False)
                self._size -= self._size_of(gone)
        return value


class Memo:
    """Answers that stay true until something is written, or for a minute: others may write to a server."""

    def __init__(self, max_entries: int = 64, ttl_s: float = 60.0) -> None:
        self._max_entries = max_entries
        self._ttl_s = ttl_s
        self._held: OrderedDict[Hashable, tuple[float, object]] = OrderedDict()
        self._lock = threading.Lock()
        self._writes = 0

    def get(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """The answer to a question: the one of before, or a new one."""
        now = time.monotonic()
        with self._lock:
            found, writes = self._held.get(key), self._writes
        if found is not None and now - found[0] < self._ttl_s:
            return found[1]  # type: ignore[return-value]  # a key names one question, and so one type
        value = make()
        with self._lock:
            if writes == self._writes:  # else it may be of before the write
                self._held[key] = (now, value)
                self._held.move_to_end(key)
                while len(self._held) > self._max_entries:
                    self._held.popitem(last=False)
        return value

    def forget(self) -> None:
        """Something was written: no answer is known to be true any more."""
        with self._lock:
            self._held.clear()
            self._writes += 1
