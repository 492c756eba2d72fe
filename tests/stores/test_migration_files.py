"""Where migrations come from: the checkout, or the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from samdb.errors import StoreError
from samdb.stores.migrate import load_migrations

_REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_gap_in_the_numbers_is_an_error(tmp_path: Path) -> None:
    for name in ("m0001_a", "m0003_c"):
        (tmp_path / f"{name}.py").write_text(f"NAME = {name!r}\ndef apply(store, params): pass\n")
    with pytest.raises(StoreError, match="numbered 1, 2, 3"):
        load_migrations(tmp_path)


def test_a_file_that_calls_itself_otherwise_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m0001_a.py").write_text("NAME = 'm0001_b'\ndef apply(store, params): pass\n")
    with pytest.raises(StoreError, match="calls itself"):
        load_migrations(tmp_path)


def test_an_installation_without_migrations_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="reinstall samdb"):
        load_migrations(tmp_path)


@pytest.mark.slow
def test_the_wheel_carries_the_migrations_and_runs_them(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=_REPOSITORY, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    ours = {f"samdb/_migrations/{f.name}" for f in (_REPOSITORY / "migrations").glob("m*.py")}
    assert ours
    assert ours <= names
    # a store laid out by the unpacked wheel alone, away from the checkout
    program = (
        "import samdb, sys\n"
        "from samdb.stores.memory import MemoryStore\n"
        "from samdb.stores.layout import LayoutParams\n"
        "from samdb.stores.migrate import migrate\n"
        "print(samdb.__file__, migrate(MemoryStore(), LayoutParams('vit_t', {'neck': 4})))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert str(tmp_path) in run.stdout
    assert all(Path(name).stem in run.stdout for name in ours)
