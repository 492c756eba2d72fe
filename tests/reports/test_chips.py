"""Where labels go."""

from __future__ import annotations

import itertools

import numpy as np

from samdb.reports.chips import Spot, place_chips, spot_of


def spot(x0: float, y0: float, x1: float, y1: float) -> Spot:
    middle = (x0 + x1) / 2
    return Spot(
        (x0, y0, x1, y1), (middle, (y0 + y1) / 2), min(x1 - x0, y1 - y0) / 2, (middle, y0), (middle, y1)
    )


def test_a_label_stands_above_a_small_object_and_inside_a_large_one() -> None:
    small, large = place_chips(
        [spot(100, 100, 120, 120), spot(300, 100, 700, 500)], [(50, 16)] * 2, (800, 600), 3
    )
    assert small == (100, 81)
    assert large == (475, 292)


def test_labels_of_a_dense_row_never_overlap_and_stay_inside() -> None:
    spots = [spot(10.0 * i, 50, 10.0 * i + 8, 58) for i in range(30)]
    corners = place_chips(spots, [(60, 16)] * 30, (320, 120), 2)
    placed = [c for c in corners if c is not None]
    assert len(placed) >= 15  # five lines of five would fill the frame
    for (ax, ay), (bx, by) in itertools.combinations(placed, 2):
        assert abs(ax - bx) >= 60 or abs(ay - by) >= 16
    assert all(0 <= x <= 260 and 0 <= y <= 104 for x, y in placed)


def test_a_label_that_finds_no_room_is_left_out() -> None:
    corners = place_chips([spot(0, 0, 20, 20)] * 3, [(20, 20)] * 3, (20, 20), 0)
    assert corners == [(0, 0), None, None]


def test_the_heart_of_a_ring_lies_on_the_ring_not_in_its_hole() -> None:
    y, x = np.mgrid[:90, :90]
    radius = np.hypot(y - 45, x - 45)
    ring = (radius < 44) & (radius > 24)
    heart_x, heart_y = spot_of(ring, (0, 0), 1.0).heart_xy
    assert ring[round(heart_y), round(heart_x)]


def test_a_spot_is_measured_in_the_enlarged_picture() -> None:
    mask = np.zeros((20, 10), dtype=bool)
    mask[2:18, 1:9] = True
    found = spot_of(mask, (100, 200), 2.0)
    assert found.box_xyxy == (202, 404, 218, 436)
    assert found.top_xy[1] == 404
    assert found.bottom_xy[1] == 436
