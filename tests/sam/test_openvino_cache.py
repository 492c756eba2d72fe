"""Exports on disk: whole or not there, made once, made anew when anything they depend on changes."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from samdb.sam.openvino_cache import ExportKey, find_export, keep_export

KEY = ExportKey("vit_t", "0" * 64, 1, "2026.4", "2.13")
ROOT = Path(__file__).resolve().parents[2]


def saver(saves: list[Path], weights: bytes = b"weights") -> Callable[[Path], None]:
    """Writes the two files of an export and notes that it did."""

    def save(path: Path) -> None:
        saves.append(path)
        path.write_bytes(b"<net/>")
        path.with_suffix(".bin").write_bytes(weights)

    return save


def names(folder: Path) -> list[str]:
    """What stands in the cache folder besides the lock."""
    return sorted(p.name for p in (folder / "openvino").iterdir() if p.suffix != ".lock")


def test_an_export_is_saved_once_and_found_again(tmp_path: Path) -> None:
    saves: list[Path] = []
    assert find_export(KEY, tmp_path) is None
    path = keep_export(KEY, tmp_path, saver(saves))
    assert path.read_bytes() == b"<net/>"
    assert path.with_suffix(".bin").read_bytes() == b"weights"
    assert find_export(KEY, tmp_path) == path == keep_export(KEY, tmp_path, saver(saves))
    assert len(saves) == 1
    assert names(tmp_path) == [KEY.folder_name]


@pytest.mark.parametrize(
    "change",
    [
        {"weights_sha256": "1" * 64},
        {"format": 2},
        {"openvino_version": "2027.1"},
        {"torch_version": "2.14"},
    ],
)
def test_an_export_of_anything_else_is_stale_and_removed_when_the_new_one_is_written(
    tmp_path: Path, change: dict[str, str | int]
) -> None:
    newer = dataclasses.replace(KEY, **change)  # type: ignore[arg-type]
    keep_export(KEY, tmp_path, saver([]))
    assert find_export(newer, tmp_path) is None
    keep_export(newer, tmp_path, saver([]))
    assert names(tmp_path) == [newer.folder_name]


def test_exports_of_other_models_stay(tmp_path: Path) -> None:
    other = dataclasses.replace(KEY, model="vit_b")
    keep_export(other, tmp_path, saver([]))
    keep_export(KEY, tmp_path, saver([]))
    assert names(tmp_path) == sorted([KEY.folder_name, other.folder_name])


def truncate(folder: Path) -> None:
    os.truncate(folder / "encoder.bin", 3)


def change_one_byte(folder: Path) -> None:
    (folder / "encoder.bin").write_bytes(b"weighty")


def lose_the_weights(folder: Path) -> None:
    (folder / "encoder.bin").unlink()


def lose_the_note(folder: Path) -> None:
    (folder / "made_of.json").unlink()


def tear_the_note(folder: Path) -> None:
    (folder / "made_of.json").write_text('{"key": {')


def empty_the_note(folder: Path) -> None:
    (folder / "made_of.json").write_text("[]")


@pytest.mark.parametrize(
    "damage",
    [truncate, change_one_byte, lose_the_weights, lose_the_note, tear_the_note, empty_the_note],
)
def test_a_damaged_export_is_not_taken_and_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = keep_export(KEY, tmp_path, saver([])).parent
    time.sleep(0.01)  # a time of change of its own
    damage(folder)
    assert find_export(KEY, tmp_path) is None
    path = keep_export(KEY, tmp_path, saver([]))
    assert path.with_suffix(".bin").read_bytes() == b"weights"
    assert find_export(KEY, tmp_path) == path


def test_a_copied_export_counts_when_its_files_are_the_same(tmp_path: Path) -> None:
    path = keep_export(KEY, tmp_path, saver([]))
    os.utime(path.with_suffix(".bin"))  # as after copying without times
    assert find_export(KEY, tmp_path) == path


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        keep_export(KEY, tmp_path, fail)
    assert names(tmp_path) == []
    assert find_export(KEY, tmp_path) is None


def test_what_a_killed_process_left_is_never_taken_and_is_cleared_away(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from samdb.sam.openvino_cache import keep_export\n"
        "from tests.sam.test_openvino_cache import KEY\n"
        "def save(path):\n"
        "    path.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), 9)\n"
        "keep_export(KEY, Path(sys.argv[1]), save)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert names(tmp_path) != []
    assert find_export(KEY, tmp_path) is None
    keep_export(KEY, tmp_path, saver([]))
    assert names(tmp_path) == [KEY.folder_name]


def _keep_slowly(folder: Path, log: Path) -> None:
    def save(path: Path) -> None:
        with log.open("a") as file:
            file.write("saved\n")
        time.sleep(0.5)
        saver([])(path)

    keep_export(KEY, folder, save)


def test_two_processes_at_once_export_once_and_both_have_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    both = [spawn.Process(target=_keep_slowly, args=(tmp_path, log)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert log.read_text() == "saved\n"
    assert find_export(KEY, tmp_path) is not None


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "openvino").write_text("a file is in the way")
    with pytest.raises(OSError, match="openvino"):
        keep_export(KEY, tmp_path, saver([]))
    assert find_export(KEY, tmp_path) is None
