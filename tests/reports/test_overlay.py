"""The overlay by its pixels, on flat grey photographs whose every change must come from a drawing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samdb.core.masks import Rle
from samdb.reports.contour import Stroke, paint_mask
from samdb.reports.overlay import OverlayItem, draw_overlay
from samdb.reports.palette import GREY, class_color, ink_on

GREY_LEVEL = 100


def photo(height: int, width: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GREY_LEVEL, dtype=np.uint8)


def item(
    y: slice, x: slice, name: str | None, size: tuple[int, int] = (720, 1280), score: float | None = None
) -> OverlayItem:
    mask = np.zeros(size, dtype=bool)
    mask[y, x] = True
    rle = Rle.encode(mask)
    return OverlayItem(rle, rle.box_xyxy, name, score, name)


def pixels(picture: Image.Image) -> NDArray[np.int64]:
    return np.asarray(picture.convert("RGB"), dtype=np.int64)


def test_the_inside_is_tinted_in_the_colour_of_its_class_and_the_rest_is_untouched() -> None:
    box = item(slice(200, 400), slice(300, 700), "car")
    unlabelled = OverlayItem(box.mask, box.box_xyxy, color_key="car")
    drawn = pixels(draw_overlay(photo(720, 1280), [unlabelled]))[:720]
    inside, color = drawn[300, 500], np.array(class_color("car"))
    assert (np.sign(inside - GREY_LEVEL) == np.sign(color - GREY_LEVEL)).all()
    changed = (drawn != GREY_LEVEL).any(axis=2)
    assert changed[200:400, 300:700].all()
    changed[194:406, 294:706] = False  # the outline and its shadow reach a few px beyond the mask
    assert not changed.any()


def test_the_outline_is_the_pure_colour_and_lies_on_the_edge() -> None:
    box = item(slice(200, 400), slice(300, 700), None)
    drawn = pixels(draw_overlay(photo(720, 1280), [OverlayItem(box.mask, box.box_xyxy, color_key="bus")]))
    distance = np.abs(drawn[300, 280:320] - np.array(class_color("bus"))).sum(axis=1)
    assert distance.argmin() + 280 in (299, 300)
    assert distance.min() < 30


def test_a_segment_without_a_class_gets_a_grey_outline_and_no_tint() -> None:
    drawn = pixels(draw_overlay(photo(720, 1280), [item(slice(200, 400), slice(300, 700), None)]))
    assert (drawn[300, 500] == GREY_LEVEL).all()
    edge = drawn[300, 295:305]
    assert (edge > GREY_LEVEL).any()
    assert (edge <= max(GREY)).all()


def test_a_small_object_on_a_large_one_stays_visible() -> None:
    small, large = item(slice(300, 340), slice(480, 520), "bus"), item(slice(0, 720), slice(0, 1280), "car")
    items = [OverlayItem(i.mask, i.box_xyxy, color_key=i.color_key) for i in (small, large)]
    drawn = pixels(draw_overlay(photo(720, 1280), items))
    assert drawn[320, 500, 0] > drawn[320, 500, 2]  # yellow, though it was listed first
    assert drawn[600, 900, 0] < drawn[600, 900, 2]  # blue


def test_labels_stay_inside_the_frame() -> None:
    corners = [
        item(slice(0, 12), slice(0, 12), "traffic light", score=0.91),
        item(slice(0, 12), slice(1268, 1280), "traffic light", score=0.92),
        item(slice(708, 720), slice(0, 12), "traffic light", score=0.93),
        item(slice(708, 720), slice(1268, 1280), "traffic light", score=0.94),
    ]
    without = [OverlayItem(i.mask, i.box_xyxy, color_key=i.color_key) for i in corners]
    labelled = pixels(draw_overlay(photo(720, 1280), corners, legend={}))
    bare = pixels(draw_overlay(photo(720, 1280), without, legend={}))
    label = (labelled != bare).any(axis=2)
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a whole label in each quarter
        quarter = label[y * 360 : (y + 1) * 360, x * 640 : (x + 1) * 640]
        rows, columns = np.flatnonzero(quarter.any(axis=1)), np.flatnonzero(quarter.any(axis=0))
        assert 10 < np.ptp(rows) < 40
        assert 80 < np.ptp(columns) < 160


def test_a_small_photograph_is_enlarged_and_a_large_one_keeps_its_pixels() -> None:
    tall = draw_overlay(photo(320, 240), [item(slice(10, 90), slice(10, 90), "car", (320, 240))], legend={})
    assert tall.size == (720, 960)  # three times at most
    big = draw_overlay(photo(1500, 2000), [], legend={})
    assert big.size == (2000, 1500)
    assert (pixels(big) == GREY_LEVEL).all()


def test_title_and_legend_are_added_above_and_below() -> None:
    items = [item(slice(10, 90), slice(10, 90), "car"), item(slice(200, 290), slice(10, 90), None)]
    plain = draw_overlay(photo(720, 1280), [])
    full = draw_overlay(photo(720, 1280), items, title="frame.jpg")
    assert plain.size == (1280, 720)
    assert full.width == 1280
    assert full.height > 720 + 60
    many = {f"a class with a long name {i}": i for i in range(40)}
    assert draw_overlay(photo(720, 1280), [], legend=many).height > full.height


def test_empty_and_one_pixel_masks_are_drawn_without_complaint() -> None:
    empty = OverlayItem(Rle.encode(np.zeros((50, 60), dtype=bool)), (0, 0, 0, 0), "car", 0.5, "car")
    dot = item(slice(20, 21), slice(30, 31), "car", (50, 60), 0.5)
    drawn = pixels(draw_overlay(photo(50, 60), [empty, dot], legend={}))
    assert (drawn != GREY_LEVEL).any()


def test_a_mask_of_another_image_is_refused() -> None:
    with pytest.raises(ValueError, match="was given for an image of"):
        draw_overlay(photo(100, 100), [item(slice(0, 5), slice(0, 5), "car", (50, 60))])


def test_no_line_is_drawn_where_a_mask_ends_at_the_frame() -> None:
    canvas = np.zeros((40, 40, 3), dtype=np.float32)
    paint_mask(canvas, np.ones((40, 20), dtype=bool), (0, 0), Stroke((255, 255, 255), 0.0, 2.0))
    assert canvas[20, 19].max() > 200  # the inner edge
    assert canvas[20, 0].max() == 0  # the frame's edge
    assert canvas[0, 5].max() == 0


def test_colours_are_stable_shared_by_synonyms_and_readable() -> None:
    assert class_color("person") == class_color("pedestrian")
    assert class_color("bike") == class_color("bicycle")
    assert class_color("zebra") == (85, 228, 37)  # from the hash of its name
    named = [class_color(n) for n in ("car", "pedestrian", "truck", "bus", "bicycle", "traffic light")]
    assert len(set(named)) == len(named)
    assert ink_on((250, 226, 70)) < (50, 50, 50)
    assert ink_on((60, 20, 120)) == (255, 255, 255)
