"""`python -m tests.stores.copy_child FROM FROM_PREFIX TO TO_PREFIX`: `samdb store copy`, killed half-way.

It dies of a real kill -9 once the first batch of segments is copied, while the copy is at work on the next.
"""

from __future__ import annotations

import os
import signal
import sys

from samdb.stores.copy import copy_store
from samdb.stores.open import open_store


def main() -> None:
    """Copy, and die."""
    source, source_prefix, target, target_prefix = sys.argv[1:]

    def die(stage: str, done: int, total: int) -> None:
        if stage == "copy segments" and 0 < done < total:
            os.kill(os.getpid(), signal.SIGKILL)

    copy_store(open_store(source, prefix=source_prefix), open_store(target, prefix=target_prefix), die)


if __name__ == "__main__":
    main()
