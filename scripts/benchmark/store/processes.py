"""Starting the measured processes: ours with this Python, peers with an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from samdb.errors import SamdbError
from scripts.benchmark.machine import ROOT
from scripts.benchmark.store.engines import PEERS
from scripts.benchmark.store.plan import StorePlan

REQUIREMENTS = Path(__file__).with_name("peers.txt")
#: ignored by git
_ENVIRONMENT = ROOT / ".cache" / "bench-peers"


class ChildError(SamdbError):
    """A measured process failed; its last words are in the message."""


def start(plan: StorePlan) -> Any:
    """Run a plan in a fresh process, its talk going to stderr. Raises ChildError when it fails."""
    python = peers_python() if plan.engine in PEERS and plan.task != "truth" else Path(sys.executable)
    done = subprocess.run(
        [str(python), "-m", "scripts.benchmark.store.child"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=plan.to_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        if done.returncode == 0:
            return json.loads(done.stdout.strip().splitlines()[-1])
        why = f"exit {done.returncode}"
    except (ValueError, IndexError):
        why = "it printed no result"
    said = [line for line in done.stderr.strip().splitlines() if line.strip()]
    raise ChildError(
        f"{plan.engine}: the process that should {plan.task} failed ({why}):\n  "
        + "\n  ".join(said[-6:] or ["it said nothing"])
    )


def peers_python() -> Path:
    """The peers' Python; its environment is made on first use. Raises ChildError when it cannot be."""
    python = _ENVIRONMENT / "bin" / "python"
    stamp = _ENVIRONMENT / "made-of"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"installing the peers into {_ENVIRONMENT} ...", file=sys.stderr)
    venv.create(_ENVIRONMENT, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", str(REQUIREMENTS)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChildError(f"the peers cannot be installed: {done.stderr.strip()[-300:]}")
    stamp.write_text(wanted, encoding="utf-8")
    return python
