"""One image: hover, wheel, click; SAM at a box and at a point; uploads; the bank's opinion."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from samdb.core.boxes import Box
from samdb.core.ids import image_point_id
from tests.server.browser.served import Served
from tests.shapes import Shapes, boxes_of

pytestmark = [pytest.mark.weights, pytest.mark.slow]
Visit = Callable[..., Page]

_SIZE = (240, 180)
KEY = image_point_id("shapes", "images/train/00.png")


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the image is on the screen."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    k = min(box["width"] / _SIZE[0], box["height"] / _SIZE[1])
    left = box["x"] + (box["width"] - k * _SIZE[0]) / 2
    top = box["y"] + (box["height"] - k * _SIZE[1]) / 2
    return left + k * x, top + k * y


def drag(page: Page, box: Box) -> None:
    """Drag a box of the image's pixels."""
    page.mouse.move(*place(page, box[0] - 3, box[1] - 3))
    page.mouse.down()
    page.mouse.move(*place(page, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    page.mouse.move(*place(page, box[2] + 3, box[3] + 3))
    page.mouse.up()


def opened(page: Page) -> Page:
    """The page once the image and its segments are there."""
    expect(page.locator(".stage-image.loaded")).to_have_count(1)
    return page


def words(page: Page) -> Locator:
    """What the stage says of the segment below the pointer."""
    return page.locator(".stage-words")


def test_hover_lights_a_segment_and_the_wheel_steps_into_its_parts(visit: Visit) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    expect(page.locator(".segment-row")).to_have_count(3)
    x0, y0, x1, y1 = boxes_of(0)["disc"]
    page.mouse.move(*place(page, x0 + (x1 - x0) * 0.3, y0 + (y1 - y0) * 0.3))
    expect(words(page)).to_contain_text("disc · whole")
    expect(page.locator(".segment-row.lit")).to_contain_text("disc")
    for level in ("part", "subpart"):
        page.wait_for_timeout(130)
        page.mouse.wheel(0, 100)
        expect(words(page)).to_contain_text(f"disc · {level}")
    page.wait_for_timeout(130)
    page.mouse.wheel(0, -100)
    expect(words(page)).to_contain_text("disc · part")
    page.keyboard.press("[")
    expect(words(page)).to_contain_text("disc · whole")
    page.mouse.move(*place(page, 1, 1))
    expect(words(page)).to_be_hidden()


def test_a_click_selects_and_the_link_selects_the_same(visit: Visit, shapes: Shapes) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    expect(page.locator(".segment-row")).to_have_count(3)
    x0, y0, x1, y1 = boxes_of(0)["square"]
    page.mouse.move(*place(page, (x0 + x1) / 2, (y0 + y1) / 2))
    page.mouse.click(*place(page, (x0 + x1) / 2, (y0 + y1) / 2))
    chosen = page.get_by_role("region", name="Selected segment")
    expect(chosen).to_contain_text("square")
    segment_id = shapes.stored_id("square", 0)
    expect(page).to_have_url(re.compile(f"seg={segment_id}"))
    again = visit(page.url.split("/", 3)[3])
    expect(again.get_by_role("region", name="Selected segment")).to_contain_text(segment_id)
    again.get_by_role("button", name="Find similar").click()
    expect(again).to_have_url(re.compile(f"#/search\\?pos=s:{segment_id}"))
    expect(again.locator(".card").first).to_contain_text("square")


def test_keys_step_through_segments_and_their_family(visit: Visit) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    expect(page.locator(".segment-row")).to_have_count(3)
    chosen = page.get_by_role("region", name="Selected segment")
    while_disc = re.compile("disc")
    for _ in range(3):
        page.keyboard.press("j")
        if while_disc.search(chosen.locator("h2").inner_text()):
            break
    expect(chosen.locator("h2")).to_have_text("disc")
    page.keyboard.press("]")
    expect(chosen.locator(".facts")).to_contain_text("part")
    expect(chosen).to_contain_text("Part of")
    page.keyboard.press("]")
    expect(chosen.locator(".facts")).to_contain_text("subpart")
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)


def test_a_box_gives_a_mask_at_once_that_can_be_searched(visit: Visit) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    drag(page, boxes_of(0)["square"])
    expect(page.locator(".focus-card")).to_contain_text("Predicted IoU")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"pos=i:{KEY}:b:"))
    expect(page.locator(".card").first).to_contain_text("square")
    expect(page.locator(".example canvas")).to_have_count(1)
    page.go_back()
    expect(page.locator(".segment-row")).to_have_count(3)


def test_candidates_can_be_switched_and_the_chosen_one_is_searched(visit: Visit) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    disc, square = boxes_of(0)["disc"], boxes_of(0)["square"]
    drag(page, (disc[0], min(disc[1], square[1]), square[2], max(disc[3], square[3])))
    candidates = page.get_by_role("group", name="Candidates").get_by_role("button")
    # both together, and each of them
    expect(candidates).to_have_count(3)
    expect(candidates.first).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("2")
    expect(candidates.nth(1)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Find similar").click()
    expect(page).to_have_url(re.compile(f"pos=i:{KEY}:m:"))
    expect(page.locator(".card").first).to_contain_text("disc")


def test_a_point_gives_a_mask_and_more_points_refine_it(visit: Visit) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    x0, y0, x1, y1 = boxes_of(0)["bar"]
    page.keyboard.press("p")
    page.mouse.click(*place(page, (x0 + x1) / 2, (y0 + y1) / 2))
    mask = page.locator(".focus-card")
    expect(mask).to_contain_text("Area")
    page.keyboard.down("Alt")
    page.mouse.click(*place(page, 5, 5))
    page.keyboard.up("Alt")
    expect(mask).to_contain_text("Area")
    page.get_by_role("button", name="Find similar").click()
    # two points cannot be said as one: the link has the mask itself
    expect(page).to_have_url(re.compile(f"pos=i:{KEY}:m:"))
    expect(page.locator(".card").first).to_contain_text("bar")


@pytest.mark.parametrize("way", ["button", "drop", "paste"])
def test_an_uploaded_image_is_searched_with(visit: Visit, shapes: Shapes, way: str) -> None:
    page = visit()
    photo = shapes.photo("val", 100)
    if way == "button":
        page.locator("#file").set_input_files(photo)
    else:
        page.evaluate(_GIVE_FILE, [way, base64.b64encode(photo.read_bytes()).decode()])
    expect(page).to_have_url(re.compile("#/upload/"))
    expect(page.locator(".image-title")).to_have_text("100.png")
    opened(page)
    if way != "button":
        return
    drag(page, boxes_of(100)["disc"])
    page.get_by_role("button", name="Find similar").click()
    expect(page.locator(".card").first).to_contain_text("disc")
    expect(page.locator(".hint")).to_contain_text("will not work for others")


def test_the_chip_of_an_example_shows_its_place_also_in_a_large_image(
    visit: Visit, shapes: Shapes, tmp_path: Path, expected_noise: list[str]
) -> None:
    expected_noise.append("willReadFrequently")  # the test itself looks at the canvas again and again
    large = tmp_path / "large.png"
    with Image.open(shapes.photo("val", 100)) as photo:
        photo.resize((10 * photo.width, 10 * photo.height)).save(large)
    page = visit()
    page.locator("#file").set_input_files(large)
    expect(page.locator(".image-title")).to_have_text("large.png")
    opened(page)
    expect(page.locator(".image-split")).to_contain_text("2400 × 1800 px")
    drag(page, boxes_of(100)["disc"])
    page.get_by_role("button", name="Find similar").click()
    expect(page.locator(".card").first).to_be_visible()
    page.reload()  # now without the outline that SAM gave
    expect(page.locator(".card").first).to_be_visible()
    page.wait_for_function(_MIDDLE + "[3] > 0")
    red, green, blue, _ = page.evaluate(_MIDDLE.replace("() => ", "() => [...") + "]")
    assert red > 150 > max(green, blue)


# the colour in the middle of an example's chip
_MIDDLE = "() => document.querySelector('.example canvas').getContext('2d').getImageData(72, 72, 1, 1).data"


# a file from outside, as the browser hands it over
_GIVE_FILE = """([way, text]) => {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "100.png", { type: "image/png" }));
  if (way === "drop") window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
  else window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
}"""


def test_a_file_that_is_no_image_is_refused_in_words(
    visit: Visit, expected_noise: list[str], tmp_path: Path
) -> None:
    expected_noise.append("Failed to load resource.*4[0-9][0-9]")
    wrong = tmp_path / "wrong.png"
    wrong.write_text("this is no picture")
    page = visit()
    page.locator("#file").set_input_files(wrong)
    expect(page.locator(".toast.bad")).to_be_visible()


def test_an_upload_that_is_gone_is_explained(visit: Visit, expected_noise: list[str]) -> None:
    expected_noise.append("Failed to load resource.*404")
    page = visit("#/upload/00000000-0000-4000-8000-000000000000")
    expect(page.get_by_role("heading", name="no longer on the server")).to_be_visible()


def test_the_bank_names_what_is_in_an_image(visit: Visit) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", name=re.compile("classified, .* rejected"))).to_be_visible(
        timeout=60_000
    )
    row = page.get_by_role("list", name="Answers").get_by_role("button", name=re.compile("square")).first
    row.click()
    answer = page.get_by_role("region", name="Classified segment")
    expect(answer).to_contain_text("Score")
    page.get_by_role("button", name="Back to the segments").click()
    expect(page.locator(".segment-row")).to_have_count(3)


def test_a_segment_is_labelled_in_its_image_and_it_can_be_undone(visit: Visit, shapes: Shapes) -> None:
    page = opened(visit(f"#/image/{KEY}?seg={shapes.stored_id('bar', 0)}"))
    chosen = page.get_by_role("region", name="Selected segment")
    expect(chosen.locator("h2")).to_have_text("bar")
    page.keyboard.press("l")
    page.get_by_role("combobox", name="Class").fill("beam")
    page.keyboard.press("Enter")
    expect(chosen.locator("h2")).to_have_text("beam")
    page.keyboard.press("Control+z")
    expect(chosen.locator("h2")).to_have_text("bar")


def test_zoom_hides_nothing_and_fits_again(visit: Visit, server: Served) -> None:
    page = opened(visit(f"#/image/{KEY}"))
    before = page.locator(".stage-image").get_attribute("style")
    page.locator(".stage").focus()
    page.keyboard.press("+")
    assert page.locator(".stage-image").get_attribute("style") != before
    page.keyboard.press("0")
    expect(page.locator(".stage-image")).to_have_attribute("style", before or "")
