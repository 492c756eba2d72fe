"""Running the sides in turn, each time in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from samdb.errors import SamdbError
from scripts.benchmark.machine import ROOT, busy_seconds, children_cpu_seconds
from scripts.benchmark.plan import Measured, Plan


class ChildError(SamdbError):
    """A measured process failed; its last words are in the message."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: what it was told and what it measured. `others_cores` is how many cores other processes
    kept busy meanwhile, None where the system does not tell.
    """

    plan: Plan
    measured: Measured
    others_cores: float | None


#: runs a plan in a process and gives its answer
Start = Callable[[Plan], dict[str, Any]]


def turns(plans: Sequence[Plan], rounds: int) -> list[Plan]:
    """A B A B ...: every side once, then every side again, so that a slow spell hits all of them."""
    return [plan for _ in range(rounds) for plan in plans]


def measure_in_turn(
    plans: Sequence[Plan], rounds: int, start: Start, told: Callable[[str], None] = lambda _: None
) -> list[Run]:
    """Measure every side `rounds` times. Raises ChildError when a process fails."""
    runs = []
    order = turns(plans, rounds)
    for i, plan in enumerate(order, 1):
        told(f"{i}/{len(order)} {plan.benchmark}: {plan.name}")
        before = _clock()
        measured = Measured(**start(plan))
        runs.append(Run(plan, measured, others_cores(before, _clock())))
    return runs


def start_process(plan: Plan) -> dict[str, Any]:
    """Run a plan in a fresh Python. Raises ChildError with what it said when it fails."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(_paths())}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmark.child"],
        cwd=ROOT,
        env=environment,
        input=plan.to_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.strip().splitlines() if line.strip()]
    try:
        if done.returncode == 0:
            answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
            return answer
        why = f"exit {done.returncode}"
    except (ValueError, IndexError):
        why = "it printed no result"
    raise ChildError(
        f"the process of {plan.name} ({plan.task} {plan.benchmark}) failed ({why}):\n  "
        + "\n  ".join(said[-8:] or ["it said nothing"])
    )


def others_cores(before: tuple[float, ...] | None, after: tuple[float, ...] | None) -> float | None:
    """Cores kept busy by other processes than the measured one, from two (wall, machine, own) CPU clocks."""
    if before is None or after is None:
        return None
    wall, machine, own = (b - a for a, b in zip(before, after, strict=True))
    return max(0.0, (machine - own) / wall) if wall > 0 else 0.0


def _clock() -> tuple[float, float, float] | None:
    busy = busy_seconds()
    return None if busy is None else (time.monotonic(), busy, children_cpu_seconds())


def _paths() -> list[str]:
    """This repository first, then what was there."""
    return [str(ROOT), *(p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p)]
