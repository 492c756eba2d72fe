"""How often one client may ask for slow work: a bucket of tokens each."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from samdb.server.errors import ApiError

#: clients that are remembered; the one that was not seen for longest is forgotten
_MOST_CLIENTS = 10_000


class RateLimit:
    """`rate` requests a second of one client, and `burst` at once after a pause."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """Count a request. Raises ApiError 429, saying when to come again, when it is one too many."""
        with self._lock:
            now = self._clock()
            tokens, seen = self._clients.pop(client, (self._burst, now))
            tokens = min(self._burst, tokens + (now - seen) * self._rate)
            enough = tokens >= 1.0
            self._clients[client] = (tokens - 1.0 if enough else tokens, now)
            if len(self._clients) > _MOST_CLIENTS:
                self._clients.popitem(last=False)
        if not enough:
            wait_s = max(1, math.ceil((1.0 - tokens) / self._rate))
            raise ApiError(
                429,
                "too_many_requests",
                f"too many at once: try again in {wait_s} s",
                {"Retry-After": str(wait_s)},
            )
