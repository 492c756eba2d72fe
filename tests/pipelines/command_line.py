"""Running `samdb` as a person does: in this process for speed, or in its own to be killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from samdb.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: its exit code, and what it said on stderr."""

    code: int
    said: str


def environment(checkpoint: Path) -> dict[str, str]:
    """Variables for a samdb with this checkpoint, on one thread: several would slow each other down."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    return {
        **kept,
        "SAMDB_CHECKPOINT": str(checkpoint),
        "SAMDB_DEVICE": "cpu",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }


def run_here(checkpoint: Path, *words: str) -> Finished:
    """Run a command in this process."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        for name in os.environ.keys() - environment(checkpoint).keys():
            patch.delenv(name)
        for name, value in environment(checkpoint).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["samdb", *words])
        with pytest.raises(SystemExit) as end:
            main()
    code = end.value.code
    return Finished(code if isinstance(code, int) else int(code is not None), said.getvalue())


def start(words: list[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own; what it says goes to `log`."""
    with log.open("wb") as out:
        command = [sys.executable, "-m", "samdb.cli.main", *words]
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)


def read_report(path: Path) -> dict[str, object]:
    """A report that `--report` wrote."""
    record = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(record, dict)
    return record
