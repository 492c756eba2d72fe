"""One thread for sums whose last bits must not depend on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Run BLAS and OpenMP on one thread.

    KMeans adds up its centres per thread, and a matrix product splits its rows by thread: with another
    number of threads the same seed would give other last bits, and from those, now and then, other clusters.
    """
    with threadpool_limits(limits=1):
        yield
