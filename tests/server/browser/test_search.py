"""Search results: scrolling, thumbs, filters, selecting, labelling, exports, links."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.shapes import Shapes

pytestmark = [pytest.mark.weights, pytest.mark.slow]
Visit = Callable[..., Page]
Ask = Callable[[str], dict[str, object]]


@pytest.fixture
def results(visit: Visit, shapes: Shapes) -> Page:
    """The page with what is like a disc."""
    page = visit(f"#/search?pos=s:{shapes.stored_id('disc', 0)}")
    expect(page.locator(".card").first).to_be_visible()
    return page


def ids(page: Page) -> list[str]:
    """The segments on show, in order, once the last search is answered."""
    expect(page.locator(".grid.stale")).to_have_count(0)
    found: list[str] = page.locator(".card").evaluate_all("cards => cards.map((c) => c.dataset.id)")
    return found


def test_results_show_crop_score_class_and_attributes(results: Page) -> None:
    card = results.locator(".card").first
    expect(card).to_contain_text("disc")
    expect(card).to_contain_text(re.compile("night|daytime"))
    assert 0.5 < float(card.locator(".score").inner_text()) <= 1
    expect(card.locator("img")).to_have_js_property("complete", True)
    assert card.locator("img").evaluate("image => image.naturalWidth") >= 96


def test_more_results_come_as_one_scrolls(results: Page) -> None:
    expect(results.locator(".card")).to_have_count(48)
    results.locator(".card").last.scroll_into_view_if_needed()
    expect(results.locator(".card")).to_have_count(96)
    found = ids(results)
    assert len(set(found)) == len(found)


def test_thumbs_refine_the_search_and_chips_take_it_back(results: Page) -> None:
    before = ids(results)
    up, down = before[3], before[5]
    results.locator(f'.card[data-id="{up}"]').hover()
    results.locator(f'.card[data-id="{up}"] .vote.up').click()
    expect(results.locator(".example.positive")).to_have_count(2)
    expect(results.locator(f'.card[data-id="{up}"]')).to_have_count(0)
    results.locator(f'.card[data-id="{down}"] .pick').focus()
    results.keyboard.press("n")
    expect(results.locator(".example.negative")).to_have_count(1)
    expect(results).to_have_url(re.compile(f"neg=s:{down}"))
    expect(results.locator(f'.card[data-id="{down}"]')).to_have_count(0)
    results.get_by_role("button", name="Remove this negative example").click()
    expect(results.locator(".example.negative")).to_have_count(0)
    results.go_back()
    expect(results.locator(".example.negative")).to_have_count(1)
    results.go_back()
    results.go_back()
    expect(results.locator(".example")).to_have_count(1)
    expect(results.locator(f'.card[data-id="{down}"]')).to_have_count(1)
    assert ids(results) == before


def test_filters_and_a_limit_per_image_narrow_the_results(results: Page) -> None:
    results.locator(".facet[data-key=class_name]").get_by_role("button", name=re.compile("bar")).click()
    expect(results.locator(".card").first).to_contain_text("bar")
    expect(results.get_by_role("button", name="Remove the filter Class: bar")).to_be_visible()
    results.get_by_role("button", name="Remove the filter Class: bar").click()
    expect(results.locator(".card").first).to_contain_text("disc")
    results.get_by_label("Per image").select_option("1")
    expect(results).to_have_url(re.compile("per_image=1"))
    expect(results.locator(".grid.stale")).to_have_count(0)
    titles = results.locator(".card .pick").evaluate_all("picks => picks.map((p) => p.title)")
    assert len(set(titles)) == len(titles) > 1


def test_a_search_that_finds_nothing_says_so(visit: Visit, shapes: Shapes) -> None:
    page = visit(f"#/search?pos=s:{shapes.stored_id('disc', 0)}&where=class_name%3Dunicorn")
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_role("button", name="Remove the filters").click()
    expect(page.locator(".card").first).to_be_visible()


def test_clicks_select_one_a_range_and_all(results: Page) -> None:
    picks = results.locator(".card .pick")
    bar = results.get_by_role("region", name="Selection")
    expect(bar).to_be_hidden()
    picks.nth(1).click()
    expect(bar).to_contain_text("1 segment selected")
    picks.nth(4).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 segments selected")
    picks.nth(2).click()
    expect(bar).to_contain_text("3 segments selected")
    expect(picks.nth(2)).to_have_attribute("aria-pressed", "false")
    results.keyboard.press("Control+a")
    expect(bar).to_contain_text("48 segments selected")
    results.keyboard.press("Escape")
    expect(bar).to_be_hidden()


def test_many_are_labelled_with_completion_and_undone(results: Page, ask: Ask) -> None:
    chosen = ids(results)[:3]
    results.locator(".card .pick").nth(0).click()
    results.locator(".card .pick").nth(2).click(modifiers=["Shift"])
    results.get_by_role("button", name="Label", exact=True).click()
    field = results.get_by_role("combobox", name="Class")
    field.fill("squ")
    expect(results.get_by_role("option", name="square", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    field.press("Enter")
    expect(results.locator(".toast")).to_contain_text("Labelled 3 segments as square")
    expect(results.locator(".card").first).to_contain_text("square")
    assert [ask(f"/api/segments/{i}")["class_name"] for i in chosen] == ["square"] * 3
    results.locator(".toast").get_by_role("button", name="Undo").click()
    expect(results.locator(".card").first).to_contain_text("disc")
    expect(results.locator(".toast").last).to_contain_text("as before")
    assert [ask(f"/api/segments/{i}")["class_name"] for i in chosen] == ["disc"] * 3


def test_a_new_class_is_said_to_be_new(results: Page) -> None:
    results.locator(".card .pick").first.click()
    results.keyboard.press("l")
    results.get_by_role("combobox", name="Class").fill("wheel")
    expect(results.get_by_role("option", name="wheel")).to_contain_text("new class")
    results.keyboard.press("Escape")
    expect(results.get_by_role("dialog")).to_have_count(0)


def test_the_selection_is_exported_as_json_and_csv(results: Page, tmp_path: Path) -> None:
    chosen = ids(results)[:2]
    for i in range(2):
        results.locator(".card .pick").nth(i).click()
    with results.expect_download() as download:
        results.get_by_role("button", name="JSON").click()
    download.value.save_as(tmp_path / "found.json")
    rows = json.loads((tmp_path / "found.json").read_text())
    assert [row["segment_id"] for row in rows] == chosen
    assert {row["class_name"] for row in rows} == {"disc"}
    with results.expect_download() as download:
        results.get_by_role("button", name="CSV").click()
    download.value.save_as(tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(newline="") as file:
        assert [row["segment_id"] for row in csv.DictReader(file)] == chosen


def test_a_link_gives_the_same_search_in_another_browser(results: Page, visit: Visit) -> None:
    results.locator(".card .pick").nth(2).focus()
    results.keyboard.press("y")
    expect(results.locator(".example.positive")).to_have_count(2)
    results.get_by_label("Per image").select_option("2")
    expect(results).to_have_url(re.compile("per_image=2"))
    expect(results.locator(".grid.stale")).to_have_count(0)
    again = visit(results.url.split("/", 3)[3])
    expect(again.locator(".card").first).to_be_visible()
    assert ids(again) == ids(results)
    expect(again.get_by_label("Per image")).to_have_value("2")


def test_the_keyboard_alone_searches_on_selects_and_opens(results: Page) -> None:
    results.locator(".card .pick").first.focus()
    results.keyboard.press("ArrowRight")
    results.keyboard.press("Space")
    bar = results.get_by_role("region", name="Selection")
    expect(bar).to_contain_text("1 segment selected")
    results.keyboard.press("Shift+ArrowRight")
    expect(bar).to_contain_text("2 segments selected")
    second = ids(results)[1]
    results.keyboard.press("ArrowLeft")
    results.keyboard.press("s")
    expect(results).to_have_url(re.compile(f"pos=s:{second}"))
    expect(results.locator(".example.positive")).to_have_count(1)
    expect(results.locator(f'.card[data-id="{second}"]')).to_have_count(0)
    results.locator(".card .pick").first.focus()
    results.keyboard.press("Enter")
    expect(results).to_have_url(re.compile("#/image/.*seg="))
    expect(results.get_by_role("region", name="Selected segment")).to_be_visible()


def test_a_search_without_an_example_tells_how_to_start(visit: Visit) -> None:
    page = visit("#/search")
    expect(page.get_by_role("heading", name="Search by example")).to_be_visible()
    expect(page.get_by_role("link", name="Browse images")).to_be_visible()
