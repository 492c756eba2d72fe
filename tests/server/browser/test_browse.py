"""Browse: images, facets with counts, filters as chips."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.weights, pytest.mark.slow]
Visit = Callable[..., Page]

N_IMAGES = 66


def test_images_come_a_page_at_a_time_as_one_scrolls(visit: Visit) -> None:
    page = visit()
    cards = page.locator(".image-card")
    expect(page.locator("#browse-count")).to_have_text(f"{N_IMAGES} images")
    expect(cards).to_have_count(60)
    cards.last.scroll_into_view_if_needed()
    expect(cards).to_have_count(N_IMAGES)
    expect(cards.first.locator("img")).to_have_js_property("complete", True)
    assert cards.first.locator("img").evaluate("image => image.naturalWidth") > 0


def test_a_facet_narrows_the_images_and_the_other_counts(visit: Visit) -> None:
    page = visit()
    facet = page.locator(".facet[data-key=timeofday]")
    night = facet.get_by_role("button", name=re.compile("night"))
    expect(night).to_contain_text("150")
    night.click()
    expect(page.locator("#browse-count")).to_have_text(f"30 images of {N_IMAGES}")
    expect(page).to_have_url(re.compile(r"where=timeofday%3Dnight"))
    expect(page.locator(".facet[data-key=class_name]").get_by_role("button", name="bar")).to_contain_text(
        "30"
    )
    # its own counts stay, so that one can add the day
    expect(facet.get_by_role("button", name=re.compile("daytime"))).to_contain_text("180")
    page.get_by_role("button", name="Remove the filter Time of day: night").click()
    expect(page.locator("#browse-count")).to_have_text(f"{N_IMAGES} images")
    page.go_back()
    expect(page.locator("#browse-count")).to_have_text(f"30 images of {N_IMAGES}")
    page.go_back()
    expect(page.locator(".chip")).to_have_count(0)


def test_a_filter_can_be_typed_and_a_slip_is_explained(visit: Visit) -> None:
    page = visit()
    field = page.get_by_label("Any other filter")
    field.fill("nonsense")
    field.press("Enter")
    expect(page.locator(".facet-free")).to_contain_text("Write key=value")
    field.fill("area_px>=1")
    field.press("Enter")
    expect(page.get_by_role("button", name="Remove the filter Area: ≥ 1 px²")).to_be_visible()


def test_filters_that_nothing_fits_say_so_and_can_be_removed(visit: Visit) -> None:
    page = visit("#/browse?where=class_name%3Dunicorn")
    expect(page.get_by_role("heading", name="No image fits")).to_be_visible()
    page.get_by_role("button", name="Remove the filters").click()
    expect(page.locator(".image-card").first).to_be_visible()


def test_the_keyboard_walks_through_the_images_and_opens_one(visit: Visit) -> None:
    page = visit()
    page.locator(".image-card").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/image/"))
    expect(page.locator(".image-title")).to_contain_text(".png")
    title = page.locator(".image-title").inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".image-title")).not_to_have_text(title)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".image-title")).to_have_text(title)


def test_a_narrow_screen_folds_the_filters_away(visit: Visit) -> None:
    page = visit(width=600)
    expect(page.locator(".facet").first).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    expect(page.locator(".facet").first).to_be_visible()
