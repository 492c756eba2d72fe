"""Ingest into an embedded store on a real file system that gets full: nothing that was stored is lost."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from samdb.ports import VectorStore
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES, SEGMENTS
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.command_line import ROOT
from tests.pipelines.full_disk_child import GROUP, LARGE_FILE
from tests.pipelines.ingest_child import FOUND
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

N_IMAGES = 40
#: an empty store takes 61 MiB, and samdb wants 64 MiB more before it writes
SIZE_MIB = 256


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no `mount` here")
    options = ["-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "samdb-test", str(folder)]
    done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk of its own cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def ingest_until_full(world: Path, store: Path, left_bytes: int, checked: bool) -> tuple[int, str]:
    """Ingest in another process whose disk fills; how it ended and what it said."""
    words = [str(world), str(store), str(left_bytes), str(int(checked))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.full_disk_child", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def acknowledged(store: VectorStore) -> int:
    """How many images the ledger has; all their segments are there."""
    said = {str(p.payload["image_id"]): p.payload["n_segments"] for p in store.scroll(IMAGES)}
    counted: Counter[str] = Counter(str(p.payload["image_id"]) for p in store.scroll(SEGMENTS))
    assert said == {image: counted[image] for image in said}
    return len(said)


@pytest.mark.parametrize("afterwards", ["copied", "enlarged"])
@pytest.mark.parametrize("checked", [True, False], ids=["nearly full", "full to the last byte"])
def test_a_run_whose_disk_gets_full_goes_on_where_there_is_room(
    tmp_path: Path, disk: Path, checked: bool, afterwards: str
) -> None:
    world, path = write_world(tmp_path / "world", N_IMAGES), disk / "store"
    whole, store = new_store(), EdgeStore(path)
    run_ingest(world, whole, RectangleSegmenter(FOUND), prompts="both")
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    store.close()
    code, said = ingest_until_full(world, path, 32 << 20 if checked else 0, checked)
    if checked:
        assert code == 3
        assert said == (
            f"error: the disk that holds {path} is full (32 MiB left): free some space and run the command "
            "again, what is stored is safe\n"
        )
    else:  # the engine writes through memory maps
        assert code in (-signal.SIGBUS, 3)
    if afterwards == "copied":
        path = Path(shutil.copytree(path, tmp_path / "larger" / "store"))
    else:
        subprocess.run(["mount", "-o", f"remount,size={2 * SIZE_MIB}m", str(disk)], check=True)
        assert (disk / LARGE_FILE).exists()  # nobody made room
    store = EdgeStore(path)
    n_done = acknowledged(store)
    assert GROUP <= n_done < N_IMAGES
    report = run_ingest(world, store, RectangleSegmenter(FOUND), prompts="both")
    assert (report.n_unchanged, report.n_ingested) == (n_done, N_IMAGES - n_done)
    assert_same_points(contents(store), contents(whole))
    assert_ledger_agrees(store)
    store.close()
