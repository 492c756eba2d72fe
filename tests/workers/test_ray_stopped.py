"""An ingest on Ray whose own process is stopped or killed: the same command goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.command_line import ROOT
from tests.pipelines.ingest_worlds import (
    DIM,
    RECIPES,
    RectangleSegmenter,
    assert_ledger_agrees,
    assert_same_points,
    contents,
    new_store,
    run_ingest,
    write_world,
)
from tests.workers.ray_worlds import FOUND, RayWorld, running

pytestmark = pytest.mark.slow

N_IMAGES = 60
PATIENCE_S = 60.0


def start(world: Path, store: Path, pids: Path, delay_s: float) -> subprocess.Popen[str]:
    """Begin to ingest in a session of its own, as in a terminal."""
    command = [
        sys.executable,
        "-m",
        "tests.workers.ray_child",
        str(world),
        str(store),
        str(pids),
        str(delay_s),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


def line(process: subprocess.Popen[str]) -> str:
    """What it says next."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("how", ["kill -9", "SIGTERM", "Ctrl-C"])
def test_a_run_whose_driver_is_stopped_or_killed_is_resumed(
    tmp_path: Path, on_ray: RayWorld, how: str
) -> None:
    world, pids = write_world(tmp_path / "world", N_IMAGES), on_ray.pids
    whole, store = new_store(), EdgeStore(tmp_path / "store")
    run_ingest(world, whole, RectangleSegmenter(FOUND), prompts="both")
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    store.close()
    with start(world, tmp_path / "store", pids, 0.1) as process:
        assert line(process) == "ready"
        time.sleep(1)
        if how == "kill -9":
            process.kill()
        elif how == "SIGTERM":
            process.terminate()
        else:  # a terminal sends it to everything that was started there
            os.killpg(process.pid, signal.SIGINT)
        assert how == "kill -9" or line(process) == "stopped"
        process.wait(PATIENCE_S)
    until = time.monotonic() + PATIENCE_S
    while running(pids):  # nothing of it stays behind
        assert time.monotonic() < until
        time.sleep(0.1)
    store = EdgeStore(tmp_path / "store")
    if how != "kill -9":
        assert_ledger_agrees(store)
    done = store.count(IMAGES)
    assert done < N_IMAGES
    assert how == "kill -9" or done > 8
    assert on_ray.ingest(world, store).n_unchanged == done
    assert_same_points(contents(store), contents(whole))
    assert_ledger_agrees(store)
    store.close()
