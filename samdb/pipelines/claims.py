"""Several processes ingest one dataset into one store: each says which images it has in hand.

A claim is a point of the `meta` collection: an image and who has it. Whoever holds claims also keeps a record
of itself there, good until a time that it puts off while it lives; the claims of a process whose time has run
out are anyone's.

The store has no compare-and-set, and none is needed: ids are deterministic, so an image that two processes
cut is written twice with the same points. Claims make that rare, they make nothing correct. A block of images
is claimed while the one before it is cut, and looked at again when it is needed: of two processes that
claimed it at the same time the later write has it, and both see that.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from types import TracebackType

from samdb.core.ids import make_id
from samdb.core.points import Condition, Payload, Point
from samdb.core.sample import Sample
from samdb.errors import StoreError
from samdb.pipelines.ingest_reading import Pause
from samdb.pipelines.ledger import LedgerEntry, read_entries
from samdb.ports import VectorStore
from samdb.stores.layout import META

#: a process that has not been heard of for so long is taken for dead; clocks that differ by less do no harm
LEASE_S = 60.0
#: images claimed together: five short requests for them, a twentieth of a second
BLOCK = 8
#: two claims made at the same time have both arrived after this
_SETTLE_S = 0.2
#: how often to look whether others have done what they have in hand, when there is nothing else to do
_POLL_S = 1.0

#: the runs of this process that hold claims: others of its name are gone
_alive: set[str] = set()


class Claims:
    """Shares the images of a dataset with other processes. Use it in a `with` block."""

    def __init__(
        self, store: VectorStore, dataset: str, lease_s: float = LEASE_S, block: int = BLOCK
    ) -> None:
        """`block` images are claimed together."""
        self.who = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:12]}"
        self._store = store
        self._dataset = dataset
        self._lease_s = lease_s
        self._block = block
        self._elsewhere: deque[Sample] = deque()
        self._looked_at = 0.0
        self._ledger: dict[str, LedgerEntry] = {}
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="samdb-claims", daemon=True)

    def __enter__(self) -> Claims:
        _alive.add(self.who)
        self._say_alive()
        self._beating.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._beating.join()
        _alive.discard(self.who)
        with suppress(StoreError):  # they run out by themselves
            self._store.delete(META, where=(Condition("name", "=", (self.who,)),))

    def shared(self, samples: Iterable[Sample], ledger: dict[str, LedgerEntry]) -> Iterator[Sample | Pause]:
        """The images that fall to this process, with what the ledger says of them now put into `ledger`.

        Those that others have in hand come last, once they are done there (the ledger then says so), or
        given up. A Pause while there is nothing but to wait for others.
        """
        self._ledger = ledger
        ahead: list[Sample] = []
        rest = iter(samples)
        while True:
            block = list(islice(rest, self._block))
            claimed = self._claim([*block, *self._to_look_at(more=bool(block))])
            if claimed and not ahead:
                time.sleep(_SETTLE_S)
                ahead, claimed = claimed, []
            mine = self._confirm(ahead)
            yield from mine
            ahead = claimed
            if block or ahead or mine:
                continue
            if not self._elsewhere:
                return
            yield Pause()
            time.sleep(_POLL_S)

    def release(self, image_ids: Sequence[str]) -> None:
        """Give back images that are done."""
        if image_ids:
            self._store.delete(META, ids=[self._claim_id(image_id) for image_id in image_ids])
        for image_id in image_ids:
            self._ledger.pop(image_id, None)  # it would grow with the dataset

    def _claim(self, block: Sequence[Sample]) -> list[Sample]:
        """Claim those images that nobody alive has in hand, and put the others aside."""
        claims = self._read(block)
        alive = self._living(set(claims.values()))
        free = [sample for sample in block if claims.get(sample.image_id) not in alive]
        self._elsewhere += [sample for sample in block if claims.get(sample.image_id) in alive]
        self._store.upsert(META, [self._point(sample) for sample in free])
        return free

    def _confirm(self, block: Sequence[Sample]) -> list[Sample]:
        """Those of the claimed images that nobody else claimed at the same time, put into the ledger."""
        claims = self._read(block)
        mine = [sample for sample in block if claims.get(sample.image_id, self.who) == self.who]
        self._elsewhere += [sample for sample in block if sample not in mine]
        self._ledger.update(read_entries(self._store, mine))
        return mine

    def _to_look_at(self, more: bool) -> list[Sample]:
        """Images that others had in hand: some of them now and then, all when there are no `more` others."""
        now = time.monotonic()
        if more and now - self._looked_at < _POLL_S:
            return []
        self._looked_at = now
        n = min(self._block, len(self._elsewhere)) if more else len(self._elsewhere)
        return [self._elsewhere.popleft() for _ in range(n)]

    def _read(self, block: Sequence[Sample]) -> dict[str, str]:
        """Who has each image, for those that somebody has."""
        points = self._store.get(META, [self._claim_id(sample.image_id) for sample in block])
        return {str(p.payload["image_id"]): str(p.payload["name"]) for p in points}

    def _living(self, names: set[str]) -> set[str]:
        """Those other processes whose time has not run out, and that are not known to be gone."""
        names = {name for name in names if name != self.who and not _is_gone(name)}
        records = self._store.get(META, [make_id("process", name) for name in sorted(names)])
        now = time.time()
        return {str(r.payload["name"]) for r in records if float(str(r.payload["until"])) > now}

    def _claim_id(self, image_id: str) -> str:
        return make_id("claim", self._dataset, image_id)

    def _point(self, sample: Sample) -> Point:
        payload = {
            "kind": "claim",
            "name": self.who,
            "dataset": self._dataset,
            "image_id": sample.image_id,
        }
        return Point(self._claim_id(sample.image_id), {}, payload)

    def _say_alive(self) -> None:
        until = time.time() + self._lease_s
        payload: Payload = {"kind": "process", "name": self.who, "until": until}
        self._store.upsert(META, [Point(make_id("process", self.who), {}, payload)])

    def _beat(self) -> None:
        while not self._ended.wait(self._lease_s / 4):
            with suppress(StoreError):  # the run itself will see it, and say so
                self._say_alive()


def _is_gone(who: str) -> bool:
    """Whether a process of this machine is known to have ended; its claims need not run out then."""
    host, pid, _ = who.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    if int(pid) == os.getpid():
        return who not in _alive
    if os.name == "nt":  # there os.kill would end it
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
