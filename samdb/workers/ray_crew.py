"""The workers of an ingest on Ray: who has which images in hand, and what becomes of them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType, TracebackType
from typing import Any

from samdb._version import __version__
from samdb.core.sample import Sample
from samdb.errors import ConfigError, SamdbError, WorkerError
from samdb.pipelines.ledger import LedgerEntry
from samdb.workers.ray_cluster import Crew
from samdb.workers.ray_worker import Outcome, Ready, Worker, WorkerSetup

#: how often Ray itself tries again to load SAM in a worker that dies of it
_LOAD_RETRIES = 3
#: images in hand besides two batches of SAM's: one read ahead of them, one finished, two being written
_MORE_IN_HAND = 4
#: when to say that Ray has no room for a worker yet
_PATIENCE_S = 30.0
#: how long a worker may be on its way back, and how often to ask meanwhile
_RESTART_S = 20.0
_ASK_AGAIN_S = 0.2
#: how long a stopped run waits for the images that SAM has seen
_STOP_S = 120.0

_LOG = logging.getLogger(__name__)

Ref = Any  # ray.ObjectRef, which Ray's client has another class for


@dataclass(frozen=True, slots=True)
class Done:
    """An image came back; `outcome` None: its worker had not begun it when it was stopped."""

    sample: Sample
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker died with these images in hand; `why` is Ray's word for it."""

    samples: tuple[Sample, ...]
    alone: bool
    why: str


@dataclass(slots=True)
class _Member:
    actor: Any
    loading: Ref | None
    ready: Ready | None = None
    in_hand: dict[Ref, Sample] = field(default_factory=dict)
    alone: bool = False
    away_since: float | None = None


class RayCrew:
    """Workers that Ray keeps alive: one that dies is started anew, wherever there is room. Use it in a `with`
    block.
    """

    def __init__(self, ray: ModuleType, crew: Crew, setup: WorkerSetup) -> None:
        self._ray = ray
        self._crew = crew
        self._setup = setup
        self._members: list[_Member] = []
        errors = ray.exceptions
        self._deaths = (errors.RayActorError, errors.WorkerCrashedError, errors.OutOfMemoryError)
        self._last_ready: Ready | None = None

    def __enter__(self) -> RayCrew:
        remote = self._ray.remote(Worker)
        for _ in range(self._crew.n):
            # calls are not repeated by Ray: an image may be what kills the worker
            actor = remote.options(
                num_cpus=self._crew.cpus,
                num_gpus=self._crew.gpus,
                max_restarts=-1,
                max_task_retries=0,
                max_concurrency=1000,  # threads are made when they are needed
            ).remote(self._setup)
            self._members.append(_Member(actor, self._load(actor)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self._members:
            self._ray.kill(member.actor)

    @property
    def in_hand(self) -> int:
        """Images that workers have in hand."""
        return sum(len(member.in_hand) for member in self._members)

    @property
    def ready(self) -> list[Ready]:
        """What the workers that have loaded SAM say of themselves."""
        return [member.ready for member in self._members if member.ready is not None]

    @property
    def cut_by(self) -> Ready:
        """What the workers' segmenter is called."""
        assert self._last_ready is not None  # no image was handed out before
        return self._last_ready

    def wait_until_ready(self) -> None:
        """Wait for the workers to load SAM: for all where Ray has room for all at once, else for some.

        Raises WorkerError when none can.
        """
        until = time.monotonic() + _PATIENCE_S
        told = False
        while any(member.loading is not None for member in self._members):
            self.wait(1.0)
            late = time.monotonic() > until
            if late and self.ready:
                return
            if late and not told:
                told = True
                size = f"{self._crew.cpus:g} CPUs and {self._crew.gpus:g} GPUs"
                _LOG.warning("still waiting for Ray to start a worker (each takes %s)", size)

    def give(
        self,
        alone: deque[Sample],
        fresh: Callable[[], Sample | None],
        known: Callable[[Sample], LedgerEntry | None],
    ) -> None:
        """Hand out images to every worker that has room, one each in turn: those of `alone` to workers that
        have nothing else in hand, else what `fresh` gives, until that is None.
        """
        given = more = True
        while given:
            given = False
            for member in self._members:
                sample = None
                if member.ready is None or (member.alone and member.in_hand):
                    continue
                member.alone = bool(alone) and not member.in_hand
                if member.alone:
                    sample = alone.popleft()
                elif more and len(member.in_hand) < 2 * member.ready.batch_size + _MORE_IN_HAND:
                    sample = fresh()
                    more = sample is not None
                if sample is not None:
                    member.in_hand[member.actor.cut.remote(sample, known(sample))] = sample
                    given = True

    def wait(self, timeout_s: float) -> list[Done | Lost]:
        """What happened, as soon as anything has. Raises what ended a worker's stages, and WorkerError when
        there is no worker left.
        """
        owners = {ref: m for m in self._members for ref in (*m.in_hand, m.loading) if ref is not None}
        if not owners:
            return []
        happened: list[Done | Lost] = []
        done, _ = self._ray.wait(list(owners), num_returns=1, timeout=timeout_s)
        if done:
            done, _ = self._ray.wait(list(owners), num_returns=len(owners), timeout=0)
        for ref in done:
            member = owners[ref]
            if ref == member.loading:
                self._take_ready(member, ref)
            elif ref in member.in_hand:  # else its worker died, and it was seen to then
                happened += self._take(member, ref)
        return happened

    def stop(self) -> Iterator[Done]:
        """Tell the workers to give back what they have not begun; what comes back before they stand still."""
        for member in self._members:
            member.actor.stop.remote()
        until = time.monotonic() + _STOP_S
        while self.in_hand and time.monotonic() < until:
            yield from (event for event in self.wait(1.0) if isinstance(event, Done))

    def _load(self, actor: Any) -> Ref:
        return actor.load.options(max_task_retries=_LOAD_RETRIES).remote()

    def _take_ready(self, member: _Member, ref: Ref) -> None:
        member.loading = None
        try:
            ready: Ready = self._get(ref)
        except self._deaths as exc:
            if isinstance(exc, self._ray.exceptions.ActorUnavailableError) and self._may_come_back(member):
                member.loading = self._load(member.actor)
                return
            self._members.remove(member)
            self._ray.kill(member.actor)
            if not self._members:
                raise WorkerError(
                    f"the workers die while they load SAM ({_why(exc)}): give them more memory, or use "
                    "fewer --workers"
                ) from exc
            return
        if ready.version != __version__:
            raise ConfigError(
                f"samdb is {ready.version} on {ready.host} and {__version__} here: install the same "
                "version on every machine"
            )
        member.ready, member.away_since = ready, None
        self._last_ready = ready

    def _may_come_back(self, member: _Member) -> bool:
        """Whether to ask again, after a moment, a worker that Ray says is being started anew: on a busy
        machine that takes longer than Ray's own retries.
        """
        if member.away_since is None:
            member.away_since = time.monotonic()
        time.sleep(_ASK_AGAIN_S)
        return time.monotonic() - member.away_since < _RESTART_S

    def _take(self, member: _Member, ref: Ref) -> list[Done | Lost]:
        try:
            return [Done(member.in_hand[ref], self._get(ref))]
        except self._deaths as exc:
            why = _why(exc)
        finally:
            sample = member.in_hand.pop(ref)
        # what it had finished before it died is on its way, or here
        rest, member.in_hand = member.in_hand, {}
        happened: list[Done | Lost] = []
        lost = [sample]
        for other, sample in rest.items():
            try:
                happened.append(Done(sample, self._get(other, timeout_s=0)))
            except (*self._deaths, self._ray.exceptions.GetTimeoutError):
                lost.append(sample)
        member.ready, member.loading = None, self._load(member.actor)
        return [*happened, Lost(tuple(lost), member.alone, why)]

    def _get(self, ref: Ref, timeout_s: float | None = None) -> Any:
        """The answer of a call; what it raised as itself."""
        try:
            return self._ray.get(ref, timeout=timeout_s)
        except self._ray.exceptions.RayTaskError as exc:
            if isinstance(exc.cause, SamdbError):
                raise exc.cause from exc
            raise


def _why(exc: BaseException) -> str:
    return "out of memory" if "memory" in type(exc).__name__.lower() or "OOM" in str(exc) else "it ended"
