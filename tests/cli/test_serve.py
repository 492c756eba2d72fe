"""`samdb serve` as a person starts and ends it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
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


def test_open_opens_the_page_in_the_browser_that_the_system_names(tmp_path: Path) -> None:
    small_world(tmp_path)
    told = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{told}.part" && mv "{told}.part" "{told}"\n')
    browser.chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    words = ["serve", "--open", "--store", str(tmp_path / "store"), "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "samdb.cli.main", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**kept, "PYTHONPATH": str(ROOT), "BROWSER": str(browser)},
    ) as server:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", server.stdout.readline())
        assert found
        until = time.monotonic() + 60
        while not told.exists() and time.monotonic() < until:
            time.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert told.read_text().strip() == found[0]
    assert server.returncode == 0


def test_without_the_server_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    # a package that fails to be found, before all others on the path: as if it was not installed
    missing = "raise ModuleNotFoundError('No module named fastapi', name='fastapi')"
    (tmp_path / "fastapi.py").write_text(missing)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SAMDB_")}
    done = subprocess.run(
        [sys.executable, "-m", "samdb.cli.main", "serve", "--store", str(tmp_path / "store")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**kept, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
    )
    assert done.returncode == 2
    assert "the server needs fastapi" in done.stderr
    assert "pip install 'samdb[server]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_port_in_use_is_named_with_what_to_do(bare: Samdb, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = bare("serve", "--port", port, "--store", tmp_path / "s")
    assert refused.code == 2
    assert f"port {port}" in refused.err
    assert "give another --port" in refused.err


def test_what_cannot_be_served_is_explained(bare: Samdb, tmp_path: Path) -> None:
    open_to_all = bare("serve", "--host", "0.0.0.0", "--store", tmp_path / "s")
    assert open_to_all.code == 2
    assert "SAMDB_SERVE_API_KEY" in open_to_all.err
    nowhere = bare("serve", "--host", "256.1.1.1", "--store", tmp_path / "s")
    assert nowhere.code == 2
    assert "--host" in nowhere.err
