"""A store that dies at a chosen write, for runs that must survive that."""

from __future__ import annotations

from collections.abc import Sequence

from samdb.core.points import Payload, Point, Where
from samdb.errors import StoreUnavailableError
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.ingest_worlds import DIM, RECIPES


class CrashingStore(MemoryStore):
    """A store that dies at its n-th write: `before` it, `half` way through its points, or `after` it."""

    def __init__(self, crash_at: int | None, when: str) -> None:
        super().__init__()
        self.crash_at = crash_at
        self.when = when
        self.n_writes = 0

    def _write(self, name: str, all_of_it: Sequence[object]) -> int:
        """Count a write; how many of its items to do, fewer than all when it crashes."""
        self.n_writes += 1
        if self.n_writes != self.crash_at:
            return len(all_of_it)
        return {"before": 0, "half": len(all_of_it) // 2, "after": len(all_of_it)}[self.when]

    def _crash(self) -> None:
        if self.n_writes == self.crash_at:
            raise StoreUnavailableError("the store died: start it again")

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Write, unless it crashes."""
        super().upsert(name, points[: self._write(name, points)])
        self._crash()

    def set_payload(self, name: str, ids: Sequence[str], payload: Payload) -> None:
        """Set, unless it crashes."""
        super().set_payload(name, ids[: self._write(name, ids)], payload)
        self._crash()

    def delete(self, name: str, *, ids: Sequence[str] = (), where: Where = ()) -> None:
        """Delete, unless it crashes."""
        super().delete(name, ids=ids[: self._write(name, ids)], where=where)
        self._crash()

    def flush(self, name: str) -> None:
        """Flush, unless it crashes."""
        self._write(name, ())
        super().flush(name)
        self._crash()


def store_with(points: MemoryStore, crash_at: int | None, when: str) -> CrashingStore:
    """A store that holds what another holds, and dies."""
    store = CrashingStore(None, when)
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    for name, vectors in ((SEGMENTS, RECIPES), (IMAGES, ("global",))):
        store.upsert(name, list(points.scroll(name, (), vectors)))
    store.n_writes, store.crash_at = 0, crash_at
    return store
