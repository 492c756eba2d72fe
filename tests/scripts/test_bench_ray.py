"""`scripts/bench ray`: what it starts, compares and prints; and the CPU time of a family of processes."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from samdb import wiring
from scripts.benchmark.ray import command
from scripts.benchmark.ray.plan import Task, Times, sides
from scripts.benchmark.ray.tree import Tree

SECONDS = {"plain": 10.0, "--ray --workers 1": 11.0, "plain on half": 20.0, "--ray --workers 2": 8.0}


class Processes:
    """Answers tasks as processes would; every round is twice as slow as the one before."""

    def __init__(self, workers: int | None = None) -> None:
        self.started: list[Task] = []
        self._workers = workers

    def __call__(self, task: Task) -> Times:
        slower = 2.0 ** (len(self.started) // len(SECONDS))
        self.started.append(task)
        n_workers = self._workers or max(1, task.side.workers)
        seconds = slower * SECONDS[task.side.name]
        return Times(task.limit, 40, n_workers, seconds, 1.5 * seconds, 3.0, 2.0, float(task.side.workers))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photographs without labels, and a checkpoint that nobody opens."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    monkeypatch.setattr(wiring, "fetch_weights", lambda _: Path("mobile_sam.pt"))
    monkeypatch.setattr(command, "adopt_orphans", lambda: True)  # the tests' process is no place for them
    for name in ("a", "b"):
        Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / f"{name}.jpg")
    return tmp_path


def test_the_sides_take_turns_and_are_compared_round_by_round(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = Processes()
    assert command.main(["--data", str(data), "--images", "2", "--n", "3", "--json"], processes) == 0
    report = json.loads(capsys.readouterr().out)
    assert [t.side.name for t in processes.started] == list(SECONDS) * 3
    assert len({t.store for t in processes.started}) == 12
    assert [r["speed"] for r in report["rows"]] == [None, 0.909, None, 1.25]
    assert [r["cpu"] for r in report["rows"]] == [None, 1.1, None, 0.8]
    assert report["rows"][0]["rounds"] == [0.2, 0.1, 0.05]
    assert report["two_workers_per_core"] == 1.25
    assert {"machine", "commit", "n_segments", "warnings"} <= report.keys()


def test_the_table_shows_the_overhead_and_the_start(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--data", str(data), "--images", "2", "--n", "1"], Processes()) == 0
    printed = capsys.readouterr()
    for text in (
        "0.91 x the speed (+10.0 % time), +10.0 % CPU",
        "start s",
        "commit ",
        "2 images, 40 segments",
    ):
        assert text in printed.out
    assert "1 round(s): not a measurement" in printed.err


def test_sides_that_did_not_do_the_same_give_no_figures(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--data", str(data), "--n", "1"], Processes(workers=1)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "--ray --workers 2 ingested 24 images with 1 worker(s)" in printed.err


def test_two_workers_have_half_of_the_cores_each() -> None:
    assert [(s.workers, s.cores) for s in sides(5)] == [(0, 5), (1, 5), (0, 2), (2, 4)]
    assert [(s.workers, s.cores) for s in sides(2)] == [(0, 2), (1, 2), (0, 1), (2, 2)]


def test_the_cpu_time_of_a_grandchild_counts() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell what processes use")
    burn = "import time\nwhile time.process_time() < 0.6: pass\nprint('done', flush=True)\ntime.sleep(9)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    began = time.monotonic()
    with (
        Tree() as tree,
        subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        time.sleep(0.25)
        ended = time.monotonic()
        children = [pid for pid, _ in tree._below()]
        assert process.pid in children
        process.kill()
        for pid in children:
            if pid != process.pid:
                subprocess.run(["kill", "-9", str(pid)], check=False)
    assert 0.5 < tree.cpu_s(began, ended) < 3.0
