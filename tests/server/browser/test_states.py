"""When there is nothing, when the server is gone or busy, when it wants a key: the page says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from samdb.bank.built_in import built_in_bank
from tests.server.browser.served import Served
from tests.shapes import Shapes, copy_store

pytestmark = [pytest.mark.weights, pytest.mark.slow]
OpenPage = Callable[..., Page]
Visit = Callable[..., Page]

KEY = "a key for tests"
CARD = built_in_bank().card


def test_an_empty_store_names_the_command_to_run(
    open_page: OpenPage, variables: dict[str, str], shapes: Shapes, tmp_path: Path
) -> None:
    empty = Served(tmp_path / "store", tmp_path / "log", variables)
    empty.start()
    try:
        page = open_page(empty.url)
        expect(page.get_by_role("heading", name="This store is empty")).to_be_visible()
        expect(page.locator(".command")).to_contain_text("samdb ingest")
        page.get_by_role("link", name="Bank").click()
        expect(page.locator(".command")).to_contain_text("samdb bank build")
        # what comes with samdb is shown without pictures, and names what is on an upload
        knows = page.get_by_role("region", name="What the bank knows")
        expect(knows).to_contain_text("comes with samdb")
        expect(knows.get_by_role("row")).to_have_count(len(CARD.classes) + 2)
        expect(page.locator(".no-picture")).to_have_count(0)
        page.get_by_role("button", name=re.compile("traffic light")).click()
        expect(knows.get_by_role("row")).to_have_count(2)
        page.locator("#file").set_input_files(shapes.photo("val", 100))
        page.get_by_role("button", name="Classify").click()
        expect(page.locator(".list-head")).to_contain_text(f"by {CARD.label} (comes with samdb)")
    finally:
        empty.stop()


def test_a_server_with_a_key_asks_for_it_and_one_that_went_away_is_waited_for(
    open_page: OpenPage,
    shapes: Shapes,
    variables: dict[str, str],
    tmp_path: Path,
    expected_noise: list[str],
) -> None:
    expected_noise += ["Failed to load resource: .*401", "Failed to load resource: net::ERR_CONNECTION"]
    copy_store(shapes.store, tmp_path / "store")
    served = Served(tmp_path / "store", tmp_path / "log", {**variables, "SAMDB_SERVE_API_KEY": KEY})
    served.start()
    try:
        page = open_page(served.url)
        field = page.locator("#api-key")
        field.fill("wrong")
        field.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("That is not the key.")
        field.fill(KEY)
        field.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.locator(".image-card")).to_have_count(6)
        # pictures carry the key, too
        expect(page.locator(".image-card img").first).to_have_js_property("complete", True)
        assert page.locator(".image-card img").first.evaluate("image => image.naturalWidth") > 0

        served.stop()
        page.get_by_role("link", name="Map").click()
        expect(page.locator("#notice")).to_contain_text("The server does not answer")
        expect(page.get_by_role("heading", name="The server is gone")).to_be_visible()
        served.start()
        expect(page.locator("#notice")).to_be_hidden()
        # a login ends with the server
        page.locator("#api-key").fill(KEY)
        page.locator("#api-key").press("Enter")
        expect(page.locator("#map-count")).to_have_text("18 segments")
    finally:
        served.stop()


def test_a_busy_server_is_asked_again(visit: Visit, shapes: Shapes, expected_noise: list[str]) -> None:
    expected_noise.append("Failed to load resource: .*503")
    page = visit("#/search")
    refusals = iter(range(2))

    def refuse(route: Route) -> None:
        if next(refusals, None) is None:
            route.continue_()
        else:
            error = {"error": {"code": "busy", "message": "the server is busy: try again"}}
            route.fulfill(status=503, headers={"Retry-After": "1"}, body=json.dumps(error))

    page.route("**/api/search", refuse)
    page.evaluate("hash => { location.hash = hash; }", f"#/search?pos=s:{shapes.stored_id('disc', 0)}")
    expect(page.locator(".toast")).to_contain_text("The server is busy")
    expect(page.locator(".card").first).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)


def test_an_address_that_means_nothing_is_explained(visit: Visit, expected_noise: list[str]) -> None:
    expected_noise.append("Failed to load resource: .*4[0-9][0-9]")
    page = visit("#/image/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="There is no such image")).to_be_visible()
    page = visit("#/search?pos=s:00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    page = visit("#/browse?where=nonsense")
    expect(page.get_by_role("alert").filter(has_text="filter").first).to_be_visible()
