"""Fixtures of the page's tests: servers on drawn stores, one browser, and a page that must not complain."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from tests.server.browser.served import Served
from tests.server.browser.world import build_world
from tests.shapes import Shapes, copy_store

# what a test asks of Chromium: no sandbox (containers), no network of its own
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# far more than a quiet machine needs: a busy one must not fail
_TIMEOUT_MS = 30_000


@pytest.fixture(scope="session")
def chromium() -> str:
    """Chromium's program; skips where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no browser on this machine: apt install chromium")
    return found


@pytest.fixture(scope="session")
def variables(checkpoint: Path) -> dict[str, str]:
    """The settings of every server here."""
    return {
        "SAMDB_CHECKPOINT": str(checkpoint),
        "SAMDB_DEVICE": "cpu",
        "SAMDB_PRECISION": "fp32",
        "SAMDB_RUNTIME": "torch",
        "SAMDB_POINTS_PER_SIDE": "6",
    }


@pytest.fixture(scope="session")
def server(
    chromium: str, shapes: Shapes, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server on a store with many images, made only for a browser; who changes something undoes it."""
    folder = tmp_path_factory.mktemp("served")
    copy_store(shapes.store, folder / "store")
    build_world(folder / "store")
    served = Served(folder / "store", folder / "log", variables)
    served.start()
    yield served
    served.stop()


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests of this folder."""
    expect.set_options(timeout=_TIMEOUT_MS)
    with sync_playwright() as playwright:
        try:
            opened = playwright.chromium.launch(executable_path=chromium, args=list(_ARGUMENTS))
        except Error as exc:
            pytest.skip(f"{chromium} does not start: {exc.message.splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture
def expected_noise() -> list[str]:
    """Patterns of console messages that a test provokes; all others fail it."""
    return []


@pytest.fixture
def open_page(browser: Browser, expected_noise: list[str]) -> Iterator[Callable[..., Page]]:
    """Open a page on a server: `open_page(url, path)`, with a context of its own. No page may complain."""
    pages: list[Page] = []
    complaints: list[str] = []

    def start(url: str, path: str = "", *, dark: bool = False, width: int = 1280) -> Page:
        context = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(_TIMEOUT_MS)
        page = context.new_page()
        page.on(
            "console",
            lambda m: complaints.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"/{path}")
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.context.close()
    loud = [c for c in complaints if not any(re.search(pattern, c) for pattern in expected_noise)]
    assert not loud, "\n".join(loud)


@pytest.fixture
def visit(server: Served, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open a page on the drawn store: `visit("#/map")`."""

    def start(path: str = "", *, dark: bool = False, width: int = 1280) -> Page:
        return open_page(server.url, path, dark=dark, width=width)

    return start


@pytest.fixture(scope="session")
def ask(server: Served) -> Callable[[str], dict[str, object]]:
    """What the API answers to a GET, for tests to know what the page must show."""
    import urllib.request

    def get(path: str) -> dict[str, object]:
        with urllib.request.urlopen(f"{server.url}{path}", timeout=30) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    return get


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Where pictures of every view go, if SAMDB_TEST_SCREENSHOTS names a folder."""
    named = os.environ.get("SAMDB_TEST_SCREENSHOTS")
    if not named:
        return None
    folder = Path(named)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
