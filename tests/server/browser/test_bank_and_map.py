"""The bank with the segments behind its prototypes, and the map of segments."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.weights, pytest.mark.slow]
Visit = Callable[..., Page]
Ask = Callable[[str], dict[str, object]]


def test_the_bank_shows_classes_and_the_segments_behind_prototypes(visit: Visit) -> None:
    page = visit("#/bank")
    cards = page.locator(".card")
    expect(cards.first).to_be_visible()
    every = cards.count()
    page.get_by_role("button", name=re.compile("disc")).first.click()
    expect(page.get_by_role("heading", name="Prototypes of disc")).to_be_visible()
    expect(cards.filter(has_text="square")).to_have_count(0)
    expect(cards.first).to_be_visible()  # the old ones go before the new ones have come
    assert 0 < cards.count() < every
    expect(cards.first.locator("img")).to_have_js_property("complete", True)
    cards.first.locator(".pick").click()
    expect(page).to_have_url(re.compile("#/search\\?pos=s:"))
    expect(page.locator(".card").first).to_contain_text("disc")
    page.go_back()
    expect(page.get_by_role("heading", name="Prototypes of disc")).to_be_visible()


def mapped(page: Page) -> Page:
    """The page once the map is drawn."""
    expect(page.locator(".legend-row").first).to_be_attached()
    expect(page.locator("#map-count")).to_have_text("330 segments")
    return page


def lasso(page: Page) -> None:
    """Draw a lasso around everything."""
    box = page.locator(".scatter").bounding_box()
    assert box is not None
    left, top = box["x"] + 3, box["y"] + 3
    right, bottom = box["x"] + box["width"] - 3, box["y"] + box["height"] - 3
    page.keyboard.down("Shift")
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")


def test_a_lasso_selects_and_the_selection_is_searched(visit: Visit) -> None:
    page = mapped(visit("#/map"))
    lasso(page)
    bar = page.get_by_role("region", name="Selection")
    expect(bar).to_contain_text("330 segments selected")
    expect(page.locator(".picked-crops img")).to_have_count(24)
    bar.get_by_role("button", name="Clear the selection").click()
    expect(bar).to_be_hidden()
    page.get_by_role("button", name="Select all bar").click()
    expect(bar).to_contain_text("66 segments selected")
    bar.get_by_role("button", name="Search with these").click()
    expect(page).to_have_url(re.compile("#/search\\?pos=s:"))
    expect(page.locator(".example.positive")).to_have_count(16)
    expect(page.locator(".card").first).to_contain_text("bar")


def test_what_the_lasso_holds_is_labelled_and_undone(visit: Visit) -> None:
    page = mapped(visit("#/map"))
    page.get_by_role("button", name="Select all bar").click()
    page.keyboard.press("l")
    page.get_by_role("combobox", name="Class").fill("beam")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=re.compile("beam")).first).to_contain_text("66")
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name=re.compile("bar")).first).to_contain_text("66")


def test_hover_shows_the_crop_and_a_click_selects(visit: Visit) -> None:
    page = mapped(visit("#/map"))
    box = page.locator(".scatter").bounding_box()
    assert box is not None
    tip = page.locator(".tip")
    # somewhere on a grid of places there is a point
    for i in range(400):
        page.mouse.move(
            box["x"] + 24 + 11 * (i % 80), box["y"] + 24 + (box["height"] - 48) * (i // 80 + 0.5) / 5
        )
        if tip.is_visible():
            break
    expect(tip).to_be_visible()
    expect(tip.locator("img")).to_have_js_property("complete", True)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("region", name="Selection")).to_contain_text("1 segment selected")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Selection")).to_be_hidden()


def test_colours_follow_an_attribute_and_a_value_can_be_hidden(visit: Visit) -> None:
    page = mapped(visit("#/map"))
    page.get_by_label("Colour by").select_option("timeofday")
    expect(page).to_have_url(re.compile("color=timeofday"))
    night = page.locator(".legend-row").filter(has_text="night").locator(".facet-value")
    expect(night).to_contain_text("150")
    night.click()
    expect(night).to_have_attribute("aria-pressed", "false")
    lasso(page)
    expect(page.get_by_role("region", name="Selection")).to_contain_text("180 segments selected")


def test_zoom_and_pan_move_the_map(visit: Visit) -> None:
    page = mapped(visit("#/map"))
    page.mouse.move(1, 1)
    first = picture(page)
    page.keyboard.press("+")
    zoomed = picture(page)
    page.keyboard.press("ArrowLeft")
    moved = picture(page)
    page.keyboard.press("0")
    assert len({first, zoomed, moved}) == 3
    assert picture(page) == first
    page.locator(".scatter").hover()
    page.mouse.wheel(0, -300)
    page.mouse.move(1, 1)
    assert picture(page) != first


def picture(page: Page) -> str:
    """What is on the map, after the next frames."""
    drawn: str = page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>"
        " done(document.querySelector('.scatter-canvas').toDataURL()))))"
    )
    return drawn
