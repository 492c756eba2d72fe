"""`scripts/bench serve` on a tiny store: a store is made, served, asked, and the figures are printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.worlds import small_world

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_tiny_store_is_made_served_and_asked(tmp_path: Path) -> None:
    small_world(tmp_path)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    words = ["serve", "--store", str(tmp_path / "store"), "--segments", "60", "--users", "2", "--n", "5"]
    done = subprocess.run(
        [sys.executable, "scripts/bench.py", *words, "--load-s", "0.5", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**kept, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["benchmark"] == "serve"
    assert "3 segments of 3 images" in told["source"]
    (row,) = told["rows"]
    assert row["n_segments"] == 60
    assert row["click"]["n"] == 5
    assert 0 < row["click"]["p50_ms"] <= row["click"]["p95_ms"] <= row["click"]["max_ms"]
    assert row["users"] == 2
    assert row["requests_per_s"] > 0
    assert row["under_load"]["n"] >= 2
    assert row["rss_mb"] > row["anonymous_mb"] > 0
    assert row["answer_bytes"] > 1000
