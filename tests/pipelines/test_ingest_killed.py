"""Ingest that is killed, stopped, or loses its store, by real signals on real processes: nothing is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from samdb.core.boxes import Box
from samdb.core.points import Point
from samdb.errors import StoreError, StoreUnavailableError
from samdb.pipelines.ingest import IngestProgress
from samdb.ports import VectorStore
from samdb.stores import edge_folder
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.command_line import ROOT, environment, read_report, run_here, start
from tests.pipelines.ingest_child import FOUND
from tests.pipelines.ingest_worlds import (
    DIM,
    RECIPES,
    RectangleSegmenter,
    assert_same_points,
    contents,
    new_store,
    noise,
    run_ingest,
    write_image,
    write_labels,
    write_world,
)
from tests.stores.qdrant_server import NoServerError, QdrantServer

#: two groups of writes; an image takes SAM about half a second here
N_IMAGES = 12
SAM_RECIPES = ("backbone", "blend")
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with a block each, at another place and of another colour in every one."""
    root = tmp_path_factory.mktemp("killed") / "photos"
    labels: dict[str, list[tuple[Box, str]]] = {}
    for i in range(N_IMAGES):
        image = noise(i, (96, 128)) // 8 + np.uint8(100)
        x, y = 8 + 5 * i, 10 + 3 * i
        image[y : y + 40, x : x + 50] = (20 * i, 250 - 20 * i, 40)
        write_image(root / "images" / f"{i:02}.png", image)
        labels[f"{i:02}.png"] = [((x, y, x + 50, y + 40), "car"), ((90, 70, 120, 90), "sign")]
    write_labels(root, labels)
    return root


def words(photos: Path, store: Path) -> list[str]:
    """The command that ingests the photos."""
    return ["ingest", str(photos), "--store", str(store)]


def finish(process: subprocess.Popen[bytes], log: Path) -> tuple[int, str]:
    """Wait for a command: its exit code and what it said."""
    code = process.wait(timeout=10 * PATIENCE_S)
    return code, log.read_text(errors="replace")


def stored(path: Path) -> dict[str, Point]:
    """What an embedded store of the command line holds."""
    store = EdgeStore(path)
    points = contents(store, SAM_RECIPES)
    store.close()
    return points


def wait_until_open(store: Path, process: subprocess.Popen[bytes]) -> float:
    """Wait until a running command has opened the store; the time when it had."""
    lock, until = store / edge_folder.LOCK_NAME, time.monotonic() + PATIENCE_S
    while not (lock.exists() and lock.read_text().strip() == str(process.pid)):
        assert process.poll() is None, "the command ended before it was stopped"
        assert time.monotonic() < until
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.weights
@pytest.mark.slow
def test_an_ingest_killed_five_times_ends_with_the_points_of_an_uninterrupted_one(
    photos: Path, tmp_path: Path, checkpoint: Path
) -> None:
    env, log, store, report = environment(checkpoint), tmp_path / "log", tmp_path / "store", tmp_path / "r"
    process = start([*words(photos, tmp_path / "whole"), "--report", str(report)], env, log)
    opened = wait_until_open(tmp_path / "whole", process)
    code, said = finish(process, log)
    took_s = time.monotonic() - opened
    assert code == 0, said
    wanted = stored(tmp_path / "whole")
    assert sum("mask_counts" in p.payload for p in wanted.values()) >= 2 * N_IMAGES
    cutting_s = read_report(report)["seconds"]
    assert isinstance(cutting_s, float)
    chance = random.Random(7)
    # while the store is laid out; before the first group is written; after it; and twice in the second group
    moments = [0.1, took_s - 0.7 * cutting_s, took_s - 0.15 * cutting_s, took_s - cutting_s, took_s / 2]
    for moment in moments:
        process = start(words(photos, store), env, log)
        wait_until_open(store, process)
        time.sleep(moment * chance.uniform(0.95, 1.05))
        process.kill()
        assert process.wait(PATIENCE_S) in (-signal.SIGKILL, 0)
    code, said = finish(start(words(photos, store), env, log), log)
    assert code == 0, said
    assert_same_points(stored(store), wanted)


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_stopped_ingest_says_that_it_can_be_resumed_and_keeps_others_out_until_then(
    photos: Path, tmp_path: Path, checkpoint: Path, sign: signal.Signals
) -> None:
    log, store = tmp_path / "log", tmp_path / "store"
    process = start(words(photos, store), environment(checkpoint), log)
    wait_until_open(store, process)
    second = run_here(checkpoint, *words(photos, store))
    assert second.code == 3
    assert f"in use by process {process.pid}" in second.said
    while not (store / "bank.json").exists():  # the last thing before the first image
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(1)
    process.send_signal(sign)
    code, said = finish(process, log)
    assert code == 130, said
    assert "what was stored stays, and the same command goes on from there" in said
    assert "Traceback" not in said
    points = stored(store)
    done = {p.payload["image_id"] for p in points.values() if p.payload.get("status") == "done"}
    cut = {p.payload["image_id"] for p in points.values() if "mask_counts" in p.payload}
    assert done == cut
    assert len(done) < N_IMAGES


def test_a_replacing_ingest_killed_while_it_writes_ends_with_the_points_of_an_uninterrupted_one(
    tmp_path: Path,
) -> None:
    world = write_world(tmp_path / "world", 24)
    segmenter = RectangleSegmenter(FOUND)
    whole = new_store()
    run_ingest(world, whole, segmenter, prompts="auto")
    store = EdgeStore(tmp_path / "store")
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    took_s = run_ingest(world, store, segmenter, prompts="both").seconds
    store.close()
    chance = random.Random(3)
    killed = [child(world, tmp_path / "store", took_s * chance.uniform(0, 0.6)) for _ in range(8)]
    assert sum(killed) >= 3
    assert not child(world, tmp_path / "store", 10 * PATIENCE_S)
    store = EdgeStore(tmp_path / "store")
    assert_same_points(contents(store), contents(whole))
    store.close()


def wait_until_stored(store: VectorStore, n_images: int) -> None:
    """Wait until the thread that writes has entered so many images in the ledger."""
    until = time.monotonic() + PATIENCE_S
    while store.count(IMAGES) < n_images:
        assert time.monotonic() < until
        time.sleep(0.01)


def child(world: Path, store: Path, kill_after_s: float) -> bool:
    """Ingest in another process and kill it; False when it was done before."""
    command = [sys.executable, "-m", "tests.pipelines.ingest_child", str(world), str(store), "auto"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            code = process.wait(kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait(PATIENCE_S)
    assert code in (0, -signal.SIGKILL)
    return code != 0


def test_a_full_disk_stops_the_run_with_advice_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = write_world(tmp_path / "world", 20)
    whole = new_store()
    run_ingest(world, whole)
    store = EdgeStore(tmp_path / "store")
    lay_out(store, dict.fromkeys(RECIPES, DIM))

    def fill(at: IngestProgress) -> None:
        # the real disk, with a limit that it cannot meet once the first eight images are stored
        if at.n_seen == 9:
            wait_until_stored(store, 8)
            monkeypatch.setattr(edge_folder, "MIN_FREE_BYTES", 2**62)

    with pytest.raises(StoreError, match=r"is full .* free some space and run the command again") as full:
        run_ingest(world, store, on_progress=fill)
    assert full.value.exit_code == 3
    assert store.count(IMAGES) == 8
    monkeypatch.undo()
    assert run_ingest(world, store).n_unchanged == 8
    assert_same_points(contents(store), contents(whole))
    store.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[QdrantServer]:
    """A real Qdrant server that a test may kill."""
    server = QdrantServer(tmp_path / "qdrant")
    try:
        server.start()
    except NoServerError as exc:
        pytest.skip(str(exc))
    yield server
    server.stop(kill=True)


@pytest.mark.server
@pytest.mark.slow
def test_a_server_that_dies_stops_the_run_and_the_next_run_ends_as_if_nothing_had_happened(
    tmp_path: Path, own_server: QdrantServer
) -> None:
    world = write_world(tmp_path / "world", 20)
    whole = new_store()
    run_ingest(world, whole)
    store = ServerStore(ServerAddress(own_server.url, timeout_s=5), "")
    lay_out(store, dict.fromkeys(RECIPES, DIM))

    def die(at: IngestProgress) -> None:
        if at.n_seen == 9:
            wait_until_stored(store, 8)
            own_server.stop(kill=True)

    with pytest.raises(StoreUnavailableError) as dead:
        run_ingest(world, store, on_progress=die)
    assert dead.value.exit_code == 3
    own_server.start()
    assert run_ingest(world, store).n_unchanged == 8
    assert_same_points(contents(store), contents(whole))
    assert store.count(SEGMENTS) == 3 * 20
    store.close()
