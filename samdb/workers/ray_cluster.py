"""Ray itself: started on this machine or joined, and how many workers of what size fit on it."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType

from samdb.errors import ConfigError

#: start a Ray of one's own instead of joining one
LOCAL = "local"
#: what a Ray of one's own may keep of images that were cut and are not yet written
_OBJECT_STORE_BYTES = 512 << 20
#: beside a GPU: reading, pooling and writing
_CPUS_BESIDE_GPU = 8


@dataclass(frozen=True, slots=True)
class RayPlan:
    """Where the workers of an ingest run, and how many of what size; None: as the cluster's resources say.

    `address` is `local` (a Ray of its own on this machine, ended with the run), `auto` (the one that runs on
    this machine), `host:6379` or `ray://host:10001`.
    """

    address: str = LOCAL
    workers: int | None = None
    gpus_per_worker: float | None = None
    cpus_per_worker: float | None = None

    @property
    def is_local(self) -> bool:
        """Whether Ray is started for this run, on this machine."""
        return self.address == LOCAL

    def __post_init__(self) -> None:
        sizes = (self.workers or 1, self.cpus_per_worker or 1.0)
        if min(sizes) <= 0 or (self.gpus_per_worker or 0.0) < 0:
            raise ConfigError("--workers, --cpus-per-worker and --gpus-per-worker cannot be negative or 0")


@dataclass(frozen=True, slots=True)
class Crew:
    """So many workers, each with so many CPUs and GPUs."""

    n: int
    cpus: float
    gpus: float

    @property
    def n_threads(self) -> int:
        """Threads of each worker's SAM."""
        return max(1, int(self.cpus))


def check_installed() -> None:
    """Raise ConfigError when Ray is not installed; imports nothing."""
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--ray needs Ray: run `pip install 'samdb[ray]'` on every machine")


@contextmanager
def connected(plan: RayPlan) -> Iterator[ModuleType]:
    """Ray, started or joined, and left alone at the end if it was not started here.

    Raises ConfigError when none answers at the address.
    """
    check_installed()
    # Ray looks for these when it is imported, and nowhere else: no telemetry
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if plan.is_local:
        # on Linux too: processes that listen on the loopback interface only
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    _quiet()
    if ray.is_initialized():  # by who uses samdb as a library
        yield ray
        return
    try:
        if plan.is_local:
            ray.init(
                address=LOCAL,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_OBJECT_STORE_BYTES,
                _node_ip_address="127.0.0.1",
            )
        else:
            ray.init(address=plan.address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as exc:
        said = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ConfigError(
            f"no Ray at {plan.address}: start one with `ray start --head`, or leave the "
            f"address out ({said[0]})"
        ) from exc
    try:
        yield ray
    finally:
        ray.shutdown()


def _quiet() -> None:
    """Ray tells of every worker that dies on stdout, in a paragraph; samdb says itself what comes of it."""
    with suppress(ImportError):
        from ray._private import worker

        worker._worker_logs_enabled = False


def crew_for(plan: RayPlan, nodes: list[dict[str, float]]) -> Crew:
    """The workers that a plan makes of the cluster's machines, each given as its resources (CPU, GPU).

    With GPUs a worker per GPU, without a worker per CPU. Raises ConfigError when not a single one fits.
    """
    with_gpu = [node for node in nodes if node.get("GPU", 0.0) > 0]
    gpus = plan.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if with_gpu else 0.0
    usable = with_gpu if gpus > 0 else nodes
    cpus = plan.cpus_per_worker
    if cpus is None:
        cpus = 1.0
        if gpus > 0 and usable:
            cpus = min(n.get("CPU", 0.0) // max(1.0, n["GPU"] // gpus) for n in usable)
            cpus = max(1.0, min(cpus, _CPUS_BESIDE_GPU))
        elif plan.workers is not None and nodes:
            cpus = max(1.0, sum(n.get("CPU", 0.0) for n in nodes) // plan.workers)
            cpus = min(cpus, max(n.get("CPU", 0.0) for n in nodes))
    fits = sum(_fits(node, cpus, gpus) for node in usable)
    if fits == 0:
        most = max((n.get("CPU", 0.0) for n in nodes), default=0.0)
        most_gpus = max((n.get("GPU", 0.0) for n in nodes), default=0.0)
        raise ConfigError(
            f"no machine of this Ray has room for a worker with {cpus:g} CPUs and {gpus:g} GPUs (the largest "
            f"have {most:g} CPUs, {most_gpus:g} GPUs): choose smaller --cpus-per-worker or --gpus-per-worker"
        )
    return Crew(plan.workers or fits, cpus, gpus)


def _fits(node: dict[str, float], cpus: float, gpus: float) -> int:
    counts = [node.get(kind, 0.0) / size for kind, size in (("CPU", cpus), ("GPU", gpus)) if size > 0]
    return int(min(counts))
