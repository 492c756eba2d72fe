"""Several processes that ingest the same images into one store share them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from samdb.core.ids import make_id
from samdb.core.points import Condition, Point
from samdb.core.sample import Sample
from samdb.errors import StoreError
from samdb.pipelines.claims import Claims
from samdb.pipelines.ingest_reading import Pause
from samdb.ports import VectorStore
from samdb.stores.layout import META
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
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
from tests.stores.qdrant_server import QdrantServer
from tests.workers.ray_worlds import FOUND

N_IMAGES = 60


def samples(n: int) -> list[Sample]:
    """Images of a dataset."""
    return [Sample("d", "", f"{i:02}.png", Path(f"/{i}")) for i in range(n)]


def in_hand(store: VectorStore) -> list[str]:
    """What the claims in a store are about."""
    points = store.scroll(META, (Condition("kind", "=", ("claim",)),))
    return sorted(str(p.payload["image_id"]) for p in points)


def put_claim(store: VectorStore, who: str, image_id: str, until: float) -> None:
    """Another process's claim, and its record."""
    claim: dict[str, str] = {"kind": "claim", "name": who, "dataset": "d", "image_id": image_id}
    store.upsert(META, [Point(make_id("claim", "d", image_id), {}, claim)])
    record: dict[str, str | float] = {"kind": "process", "name": who, "until": until}
    store.upsert(META, [Point(make_id("process", who), {}, record)])


def taken(given: Iterator[Sample | Pause]) -> list[str]:
    """The images given out, pauses left out."""
    return [one.image_id for one in given if isinstance(one, Sample)]


def test_alone_everything_is_given_in_order_and_no_claim_stays() -> None:
    store = new_store()
    with Claims(store, "d", block=4) as claims:
        given = claims.shared(samples(10), {})
        first = next(given)
        assert isinstance(first, Sample)
        assert in_hand(store) == [f"{i:02}.png" for i in range(4)]
        assert [first.image_id, *taken(given)] == [f"{i:02}.png" for i in range(10)]
        claims.release(["00.png", "01.png"])
        assert in_hand(store) == [f"{i:02}.png" for i in range(2, 10)]
    assert in_hand(store) == []
    assert list(store.scroll(META)) == []


def test_what_another_has_in_hand_comes_last_once_its_time_has_run_out() -> None:
    store = new_store()
    put_claim(store, "elsewhere/1/a", "01.png", time.time() + 0.5)
    put_claim(store, "elsewhere/2/b", "02.png", time.time() - 1)
    with Claims(store, "d", block=4) as claims:
        given = list(claims.shared(samples(6), {}))
    assert taken(iter(given)) == ["00.png", "02.png", "03.png", "04.png", "05.png", "01.png"]
    assert any(isinstance(one, Pause) for one in given)


def test_the_claims_of_a_process_of_this_machine_that_has_ended_are_free_at_once() -> None:
    store = new_store()
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    put_claim(store, f"{socket.gethostname()}/{gone.pid}/a", "01.png", time.time() + 600)
    started = time.monotonic()
    with Claims(store, "d") as claims:
        assert taken(claims.shared(samples(3), {})) == ["00.png", "01.png", "02.png"]
    assert time.monotonic() - started < 5


def test_a_claim_is_good_as_long_as_its_process_lives_however_slow_it_is() -> None:
    store = new_store()
    with Claims(store, "d", lease_s=0.2, block=2) as slow:
        assert isinstance(next(slow.shared(samples(2), {})), Sample)
        with Claims(store, "d", lease_s=0.2, block=2) as other:
            given = other.shared(samples(4), {})
            assert [one.image_id for one in (next(given), next(given)) if isinstance(one, Sample)] == [
                "02.png",
                "03.png",
            ]
            assert isinstance(next(given), Pause)  # and a second later, still
            assert isinstance(next(given), Pause)
            slow.release(["00.png"])
            one = next(given)
            assert isinstance(one, Sample)
            assert one.image_id == "00.png"


def test_of_two_that_claim_at_the_same_time_one_has_it() -> None:
    store, both = new_store(), threading.Barrier(2)
    had: dict[str, list[str]] = {"a": [], "b": []}

    def cut(name: str) -> None:
        with Claims(store, "d", block=2) as claims:
            both.wait()
            for one in claims.shared(samples(8), {}):
                if isinstance(one, Sample):
                    had[name].append(one.image_id)
            both.wait()  # as long as none is released, the other must not be given any of them

    threads = [threading.Thread(target=cut, args=(name,), daemon=True) for name in "ab"]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while len(had["a"]) + len(had["b"]) < 8 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(1.5)  # they have looked again by then
    assert sorted([*had["a"], *had["b"]]) == [f"{i:02}.png" for i in range(8)]
    for image_id in (sample.image_id for sample in samples(8)):
        store.delete(META, ids=[make_id("claim", "d", image_id)])
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def shared(qdrant_server: QdrantServer) -> Iterator[ServerStore]:
    """A store on a server, laid out."""
    store = ServerStore(ServerAddress(qdrant_server.url), "sharing_")
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    yield store
    for name in store.collections():
        store.drop_collection(name)
    store.close()


@contextmanager
def child(world: Path, url: str, delay_s: float) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to ingest."""
    command = [
        sys.executable,
        "-m",
        "tests.pipelines.sharing_child",
        str(world),
        url,
        "sharing_",
        str(delay_s),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    """Let it begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def did(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process did."""
    assert process.stdout is not None
    record = json.loads(process.stdout.readline())
    assert process.wait(60) == 0
    assert isinstance(record, dict)
    return record


@pytest.mark.server
def test_two_processes_share_the_images_and_cut_hardly_any_twice(tmp_path: Path, shared: ServerStore) -> None:
    world = write_world(tmp_path / "world", N_IMAGES)
    whole = new_store()
    run_ingest(world, whole, RectangleSegmenter(FOUND), prompts="both")
    with child(world, shared.address, 0.05) as a, child(world, shared.address, 0.05) as b:
        go(a)
        go(b)
        both = [did(a), did(b)]
    encoded = [record["encoded"] for record in both]
    assert N_IMAGES <= sum(encoded) <= N_IMAGES + 8
    assert min(encoded) >= N_IMAGES / 4
    assert all(record["ingested"] + record["unchanged"] == N_IMAGES for record in both)
    assert_same_points(contents(shared), contents(whole))
    assert_ledger_agrees(shared)
    assert in_hand(shared) == []


@pytest.mark.server
def test_what_a_killed_process_had_in_hand_is_done_by_the_other(tmp_path: Path, shared: ServerStore) -> None:
    world = write_world(tmp_path / "world", N_IMAGES)
    whole = new_store()
    run_ingest(world, whole, RectangleSegmenter(FOUND), prompts="both")
    with child(world, shared.address, 0.05) as a, child(world, shared.address, 0.02) as b:
        go(a)
        while len(in_hand(shared)) < 8:
            time.sleep(0.05)
        go(b)
        time.sleep(0.5)
        a.kill()
        a.wait()
        assert did(b)["ingested"] >= N_IMAGES / 2
    assert_same_points(contents(shared), contents(whole))
    assert_ledger_agrees(shared)


@pytest.mark.server
def test_a_store_that_fails_while_images_are_claimed_ends_the_run_as_itself(shared: ServerStore) -> None:
    store = ServerStore(ServerAddress(shared.address), "sharing_")
    with Claims(store, "d") as claims:
        store.close()
        with pytest.raises(StoreError):
            list(claims.shared(samples(3), {}))
