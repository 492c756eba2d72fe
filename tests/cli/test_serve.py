"""`samdb serve` as a person starts and ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.command import Samdb
from tests.server.worlds import small_world

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    small_world(tmp_path)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    words = ["serve", "--store", str(tmp_path / "store"), "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "samdb.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, "PYTHONPATH": str(ROOT)},
    ) as server:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
        assert found
        ready = httpx.get(f"{found[0]}health/ready", trust_env=False, timeout=30).json()
        assert (ready["store"], ready["sam_loaded"]) == ("ok", False)
        server.send_signal(number)
        _, talk = server.communicate(timeout=60)
    assert server.returncode == 0, talk
    assert talk == "stopped\n"


def test_what_cannot_be_served_is_explained(bare: Samdb, tmp_path: Path) -> None:
    open_to_all = bare("serve", "--host", "0.0.0.0", "--store", tmp_path / "s")
    assert open_to_all.code == 2
    assert "SAMDB_SERVE_API_KEY" in open_to_all.err
    nowhere = bare("serve", "--host", "256.1.1.1", "--store", tmp_path / "s")
    assert nowhere.code == 2
    assert "--host" in nowhere.err
