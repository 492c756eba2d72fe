"""A lock between processes, so that two of them never write one download."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def only_process(path: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file `path`, waiting while another process holds it; `on_wait` is called once then.

    The system lets go when the process ends, however it ends; the empty file stays, since deleting it would
    let two processes lock two files of one name.
    """
    with path.open("ab") as file:
        waited = False
        while not _try_lock(file):
            if not waited and on_wait is not None:
                on_wait()
            waited = True
            time.sleep(0.2)
        yield


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
