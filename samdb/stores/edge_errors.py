"""What the embedded engine raises, in samdb's words: it knows only bare `Exception`, so the text decides."""

from __future__ import annotations

from types import TracebackType

from samdb.errors import SamdbError, StoreError, StoreInUseError, StoreRejectedError

_IN_USE = ("wouldblock",)
_FULL = ("no space left", "os error 28", "disk quota", "os error 122")
_REJECTED = (
    "no point with id",
    "not existing vector name",
    "vector dimension error",
    "no appropriate index",
    "already exists with different parameters",
    "invalid json path",
    "validation",
)
_CLOSED = ("not initialized",)


class Translated:
    """Turns what the engine raises inside `with` into a StoreError that says what to do.

    A class, since a generator takes 3 us more, twice a search.
    """

    __slots__ = ("_address",)

    def __init__(self, address: str) -> None:
        """Errors name the store's address."""
        self._address = address

    def __enter__(self) -> None:
        """Nothing to do yet."""

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise the StoreError for what was raised, if anything was."""
        if exc is None or isinstance(exc, SamdbError):
            return
        if isinstance(exc, Exception):
            raise translate(self._address, exc) from exc
        # a panic of the engine arrives as pyo3's PanicException, which is no Exception
        if type(exc).__name__ == "PanicException":
            raise StoreError(
                f"the embedded engine failed on {self._address}: {exc}; close all that use the store and try "
                "again"
            ) from exc


def translate(address: str, exc: Exception) -> StoreError:
    """The StoreError for one of the engine's exceptions."""
    text = str(exc).lower()
    if any(sign in text for sign in _IN_USE):
        return StoreInUseError(in_use_message(address))
    if any(sign in text for sign in _FULL):
        return StoreError(f"the disk that holds {address} is full: free some space and run the command again")
    if any(sign in text for sign in _CLOSED):
        return StoreError(f"the store at {address} is closed: open it again")
    if any(sign in text for sign in _REJECTED) or isinstance(exc, (TypeError, ValueError)):
        return StoreRejectedError(f"the store at {address} refused the request: {exc}")
    return StoreError(f"the store at {address} failed: {exc}")


def in_use_message(address: str, pid: int | None = None) -> str:
    """Why the store cannot be opened a second time, and what to do."""
    who = f"process {pid}" if pid else "another process"
    return (
        f"the store at {address} is in use by {who}: wait for it or stop it; for several at once run "
        "a server (docker compose up -d) and use --store http://127.0.0.1:6333"
    )
