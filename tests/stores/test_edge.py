"""What only the embedded store has: its folder, its lock, crashes, forks, a full disk."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from samdb.core.points import CollectionSpec, Point, Query
from samdb.errors import StoreError, StoreInUseError
from samdb.stores import edge_folder
from samdb.stores.edge import EdgeStore
from samdb.stores.edge_errors import translate
from tests.stores.worlds import SPEC, clustered, point, uid, vec

_REPOSITORY = Path(__file__).resolve().parents[2]
NAME = SPEC.name


def filled(path: Path) -> EdgeStore:
    store = EdgeStore(path)
    store.create_collection(SPEC)
    store.upsert(NAME, [point(1, {"class_name": "car"}), point(2)])
    return store


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=_REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_points_are_there_when_the_store_is_opened_again(tmp_path: Path) -> None:
    filled(tmp_path / "s").close()
    store = EdgeStore(tmp_path / "s")
    assert store.collections() == [NAME]
    assert [p.id for p in store.scroll(NAME)] == [uid(1), uid(2)]
    assert store.facet(NAME, "class_name") == {"car": 1}
    store.create_collection(SPEC)  # as each ingest does
    assert store.count(NAME) == 2
    assert store.query(NAME, [Query("a", (vec(1, 0),), limit=1)])[0][0].id == uid(1)
    store.close()


def test_opening_a_folder_that_is_not_there_creates_nothing(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "s")
    assert store.collections() == []
    store.close()
    assert not (tmp_path / "s").exists()


def test_a_folder_of_other_things_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"not a samdb store.*holiday\.jpg.*--store"):
        EdgeStore(tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        EdgeStore(tmp_path / "holiday.jpg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["holiday.jpg"]


def test_a_second_opener_gets_a_clear_error(tmp_path: Path) -> None:
    store = filled(tmp_path / "s")
    with pytest.raises(StoreInUseError, match=rf"in use by process {os.getpid()}.*docker compose up"):
        EdgeStore(tmp_path / "s")
    store.close()
    EdgeStore(tmp_path / "s").close()


def test_a_second_process_gets_a_clear_error(tmp_path: Path) -> None:
    store = filled(tmp_path / "s")
    program = "import sys; from samdb.stores.edge import EdgeStore; EdgeStore(sys.argv[1])"
    child = python(program, str(tmp_path / "s"))
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert f"StoreInUseError: the store at {tmp_path / 's'} is in use by process {os.getpid()}" in out
    store.close()


def test_two_openers_of_a_new_folder_do_not_share_it(tmp_path: Path) -> None:
    first, second = EdgeStore(tmp_path / "s"), EdgeStore(tmp_path / "s")
    first.create_collection(SPEC)
    with pytest.raises(StoreInUseError):
        second.create_collection(SPEC)
    first.close()


def _use_after_fork(store: EdgeStore, answer: multiprocessing.SimpleQueue[str]) -> None:
    try:
        store.count(NAME)
        answer.put("no error")
    except StoreError as exc:
        answer.put(str(exc))
    store.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_store_used_after_a_fork_says_so_and_stays_whole(tmp_path: Path) -> None:
    store = filled(tmp_path / "s")
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    child = context.Process(target=_use_after_fork, args=(store, answer))
    child.start()
    child.join(timeout=30)
    alive = child.is_alive()
    if alive:
        child.kill()
    assert not alive, "the child hangs"
    assert "open it after the fork" in answer.get()
    # the child's close must not have let go of the parent's store
    store.upsert(NAME, [point(3)])
    assert store.count(NAME) == 3
    with pytest.raises(StoreInUseError):
        EdgeStore(tmp_path / "s")
    store.close()


WRITER = """
import sys
from samdb.stores.edge import EdgeStore
from tests.stores.worlds import SPEC, point
store = EdgeStore(sys.argv[1])
store.create_collection(SPEC)
start = store.count(SPEC.name)
for n in range(start, 10_000_000, 20):
    store.upsert(SPEC.name, [point(i, {"area_px": i}) for i in range(n, n + 20)])
    print(n + 20, flush=True)
"""


def test_acknowledged_points_survive_kill_9(tmp_path: Path) -> None:
    acknowledged = 0
    for _ in range(3):
        child = python(WRITER, str(tmp_path / "s"))
        assert child.stdout is not None
        for _, line in zip(range(15), child.stdout, strict=False):
            acknowledged = int(line)
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:  # what it still said before it died
            acknowledged = int(line) if line.strip().isdigit() and line.endswith("\n") else acknowledged
        child.wait(timeout=30)
        child.stdout.close()
    store = EdgeStore(tmp_path / "s")  # the killed process holds no lock
    found = [p.id for p in store.scroll(NAME)]
    assert acknowledged >= 600
    assert set(found) >= {uid(i) for i in range(acknowledged)}
    # more than acknowledged may be there, but only whole points in order
    assert found == [uid(i) for i in range(len(found))]
    hits = store.query(NAME, [Query("a", (point(42).vectors["a"],), limit=1)])
    assert hits[0][0].score == pytest.approx(1.0, abs=1e-4)
    store.close()


def test_a_collection_that_a_crash_left_half_made_is_made_again(tmp_path: Path) -> None:
    filled(tmp_path / "s").close()
    # killed before the spec was written: the engine's files are there, whole or not
    (tmp_path / "s" / f"{NAME}.json").unlink()
    half = tmp_path / "s" / "other" / "segments"
    half.mkdir(parents=True)
    (half / "junk").write_bytes(b"x")
    store = EdgeStore(tmp_path / "s")
    assert store.collections() == []
    store.create_collection(SPEC)
    store.create_collection(CollectionSpec("other", {"a": 2}, {}))
    assert store.count(NAME) == 0
    store.upsert("other", [point(1)])
    assert store.count("other") == 1
    store.close()


def test_a_damaged_collection_says_which_file(tmp_path: Path) -> None:
    filled(tmp_path / "s").close()
    (tmp_path / "s" / f"{NAME}.json").write_text("{")
    store = EdgeStore(tmp_path / "s")
    with pytest.raises(StoreError, match=rf"{NAME}\.json"):
        store.count(NAME)
    store.close()


def test_a_nearly_full_disk_stops_writes_before_the_engine_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path / "s")
    monkeypatch.setattr(edge_folder, "MIN_FREE_BYTES", 2**62)
    with pytest.raises(StoreError, match=r"disk that holds .* is full"):
        store.upsert(NAME, [point(3)])
    assert store.count(NAME) == 2  # reading goes on
    store.close()


def test_the_engines_own_words_for_a_full_disk_are_understood() -> None:
    error = translate(
        "./s", Exception("Service runtime error: IO Error: No space left on device (os error 28)")
    )
    assert "is full" in str(error)


def test_vectors_that_no_point_has_take_no_room(tmp_path: Path) -> None:
    wide = CollectionSpec("wide", {"used": 64, "unused": 4096}, {})
    rows = clustered(500, 64, 5, seed=0)
    with_both = EdgeStore(tmp_path / "s")
    with_both.create_collection(wide)
    with_both.upsert("wide", [point(n, {}, {"used": rows[n]}) for n in range(500)])
    with_both.optimize("wide")
    size = with_both.status("wide").disk_bytes
    assert size is not None
    assert size < 500 * 4096 * 4  # what "unused" would take by itself
    # it can be used later all the same, also after a restart
    with_both.close()
    store = EdgeStore(tmp_path / "s")
    late = clustered(1, 4096, 1, seed=1)[0]
    store.set_vectors("wide", {uid(3): {"unused": late}})
    assert [h.id for h in store.query("wide", [Query("unused", (late,))])[0]] == [uid(3)]
    assert len(store.query("wide", [Query("used", (rows[0],), limit=500)])[0]) == 500
    store.close()


def test_an_index_is_built_when_asked_for_and_kept(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "s")
    store.create_collection(CollectionSpec("many", {"a": 256}, {}))
    rows = clustered(2000, 256, 10, seed=0)
    store.upsert("many", [point(n, {}, {"a": rows[n]}) for n in range(2000)])
    assert store.status("many").n_indexed_vectors == 0
    store.optimize("many")
    assert store.status("many").n_indexed_vectors == 2000
    store.close()
    store = EdgeStore(tmp_path / "s")
    assert store.status("many").n_indexed_vectors == 2000
    store.upsert("many", [point(2000, {}, {"a": rows[7]})])  # found at once, index or not
    found = store.query("many", [Query("a", (rows[7],), limit=2)])[0]
    assert {h.id for h in found} == {uid(7), uid(2000)}
    store.close()


def test_threads_can_read_and_write_at_once(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "s")
    store.create_collection(SPEC)
    store.upsert(NAME, [point(n) for n in range(200)])
    errors: list[Exception] = []

    def work(worker: int) -> None:
        try:
            for n in range(20):
                store.upsert(NAME, [point(1000 * worker + n, {}, {"a": vec(1, n), "b": vec(1, 2, n)})])
                assert store.query(NAME, [Query("a", (vec(1, 1),), limit=5)])[0]
                assert len(list(store.scroll(NAME))) >= 200
        except Exception as exc:  # told to the test's own thread
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(w,)) for w in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert store.count(NAME) == 200 + 4 * 20
    store.close()


def test_points_with_many_vectors_are_scrolled_to_the_end(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "s")
    store.create_collection(SPEC)
    store.upsert(NAME, [Point(uid(n), {"a": vec(1, n), "b": vec(1, 0, n)}, {}) for n in range(777)])
    found = list(store.scroll(NAME, with_vectors=("a", "b")))
    assert len(found) == 777
    np.testing.assert_allclose(
        found[700].vectors["b"], vec(1, 0, 700) / np.linalg.norm(vec(1, 0, 700)), atol=1e-6
    )
    store.close()
