"""A thread that does one thing to each item handed to it, so that who hands over need not wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Stage(Generic[T]):
    """Runs `work` on items in the order they are handed over, in a thread of its own.

    At most `depth` items wait. What `work` raises ends the stage; whoever hands over the next item, or waits
    for the end, gets that very exception. Used as a context, the stage is finished when the block ends or is
    interrupted by KeyboardInterrupt (what was handed over is kept), and dropped on any other exception.
    """

    def __init__(
        self, name: str, work: Callable[[T], None], depth: int, at_end: Callable[[], None] = lambda: None
    ) -> None:
        """Start the thread. `at_end` runs in it after the last item, unless the stage was dropped."""
        self._work = work
        self._depth = depth
        self._at_end = at_end
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._dropped = False
        self._error: BaseException | None = None
        # daemon: an interrupt before the block is entered must not hang the exit; after that it is joined
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item; waits while `depth` items wait. Raises what the stage died of."""
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or len(self._waiting) < self._depth)
            self.check()
            self._waiting.append(item)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what the stage died of, if it did."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Wait until all that was handed over is done. Raises what the stage died of."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        try:
            self._thread.join()
        except BaseException:  # a second Ctrl-C: somebody is in a hurry
            self.drop()
            raise
        self.check()

    def drop(self) -> None:
        """Forget what waits, and wait for the item in hand only."""
        with self._changed:
            self._closing = self._dropped = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Stage[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if value is None or isinstance(value, KeyboardInterrupt):
            self.finish()
        else:
            self.drop()

    def _run(self) -> None:
        try:
            while self._do_next():
                pass
            if not self._dropped:
                self._at_end()
        except BaseException as exc:
            with self._changed:
                self._error = exc
                self._waiting.clear()
                self._changed.notify_all()

    def _do_next(self) -> bool:
        """Do the next item and let go of it; False when there is none and none will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or len(self._waiting) > 0)
            if not self._waiting:
                return False
            item = self._waiting.popleft()
            self._changed.notify_all()
        self._work(item)
        return True
