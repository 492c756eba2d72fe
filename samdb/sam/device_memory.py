"""What torch raises when a device's memory is full, said as samdb's own error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from samdb.errors import DeviceMemoryError

# torch.OutOfMemoryError for a GPU, plain RuntimeErrors from the allocators of CPUs, MPS and cuBLAS
_SAID = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise DeviceMemoryError where memory is what is missing; also to be used as a decorator."""
    try:
        yield
    except (RuntimeError, MemoryError) as exc:
        said = str(exc).strip().splitlines()[0] if str(exc).strip() else "out of memory"
        if not isinstance(exc, MemoryError) and not any(words in str(exc).lower() for words in _SAID):
            raise
        raise DeviceMemoryError(
            f"there is too little memory for this ({said}): end other programs, or choose a smaller --model"
        ) from exc
