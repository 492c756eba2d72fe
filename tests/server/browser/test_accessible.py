"""Every view in both themes: no violation that axe knows, no picture of it that is blank."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from samdb.core.ids import image_point_id
from samdb.reports.palette import class_color
from tests.server.browser.served import Served
from tests.shapes import Shapes

pytestmark = [pytest.mark.weights, pytest.mark.slow]
Visit = Callable[..., Page]

_KEY = image_point_id("shapes", "images/train/00.png")


def _views(shapes: Shapes) -> dict[str, tuple[str, str]]:
    """Each view's address and what is there once it is ready."""
    disc, square = shapes.stored_id("disc", 0), shapes.stored_id("square", 1)
    return {
        "browse": ("#/browse?where=timeofday%3Dnight", ".image-card"),
        "image": (f"#/image/{_KEY}?seg={disc}", ".segment-row[aria-current]"),
        "search": (f"#/search?pos=s:{disc}&neg=s:{square}", ".card"),
        "search_empty": ("#/search", ".empty"),
        "bank": ("#/bank", ".card"),
        "bank_built_in": ("#/bank?bank=built-in%401", ".figures"),
        "map": ("#/map", ".legend-row"),
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(
    visit: Visit, shapes: Shapes, screenshots: Path | None, theme: str
) -> None:
    page = visit(dark=theme == "dark")
    for name, (address, ready) in _views(shapes).items():
        page.goto(f"/{address}")
        expect(page.locator(ready).first).to_be_visible()
        expect(page.locator(".working")).to_have_count(0)
        _check(page, f"{name}_{theme}", screenshots)
    page.keyboard.press("?")
    _check(page, f"keys_{theme}", screenshots)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Select all disc").click()
    page.keyboard.press("l")
    page.get_by_role("combobox", name="Class").fill("s")
    _check(page, f"label_{theme}", screenshots)


def _check(page: Page, name: str, screenshots: Path | None) -> None:
    if screenshots is not None:
        page.wait_for_timeout(300)
        page.screenshot(path=screenshots / f"{name}.png")
    found = Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"


def test_the_themes_can_be_chosen_and_stay_chosen(visit: Visit) -> None:
    page = visit()
    paper = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.keyboard.press("t")
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    expect(page.locator(".image-card").first).to_be_visible()
    assert page.evaluate(paper) == dark


def test_the_keys_go_to_every_view(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".image-card").first).to_be_visible()
    for key, view in (("m", "Map"), ("k", "Bank"), ("s", "Search"), ("b", "Browse")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("link", name=view, exact=True)).to_have_attribute("aria-current", "page")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("whole to its parts")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert page.evaluate("() => document.activeElement.closest('.side') !== null")


def test_colours_are_those_of_the_pictures(visit: Visit) -> None:
    names = [
        "car",
        "person",
        "bike",
        "stop sign",
        "disc",
        "square",
        "Ampel",
        "a class with a long name " * 4,
        "é",
    ]
    page = visit()
    script = (
        "async (names) => { const m = await import('/assets/js/color.js'); return names.map(m.classColor); }"
    )
    assert page.evaluate(script, [*names, None]) == [list(class_color(name)) for name in [*names, None]]


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_inline(visit: Visit, server: Served) -> None:
    page = visit()
    seen: list[tuple[str, int]] = []
    page.on("response", lambda r: seen.append((r.url, int(r.headers.get("content-length", "0")))))
    page.reload()
    expect(page.locator(".image-card").first).to_be_visible()
    html = page.request.get("/").text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    page.evaluate("() => performance.getEntriesByType('resource').map((entry) => entry.name)")
    elsewhere = [url for url, _ in seen if not url.startswith((server.url, "data:", "blob:"))]
    assert elsewhere == []


def test_the_page_is_light_and_quick_to_use(visit: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    page = visit()
    page.wait_for_function("() => performance.getEntriesByName('samdb:ready').length")
    ready_ms = page.evaluate("() => performance.getEntriesByName('samdb:ready')[0].startTime")
    # the views that come while the page is idle count, too
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').some((e) => e.name.includes('views/map.js'))"
    )
    sizes = page.evaluate(
        "() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/assets/'))"
        ".map((e) => [e.decodedBodySize, e.transferSize])"
    )
    decoded, sent = (sum(column) for column in zip(*sizes, strict=True))
    with capsys.disabled():
        print(f"\npage: ready after {ready_ms:.0f} ms; {decoded:,} bytes of assets, {sent:,} sent")
    assert 50_000 < decoded < 300_000
    assert sent < decoded
