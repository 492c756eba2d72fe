"""Sketches: bounds that hold, and masks that fall only when they surely do."""

from __future__ import annotations

import numpy as np
import torch

from samdb.core.boxes import box_iou
from samdb.sam.drawing import draw_mask
from samdb.sam.frame import Frame
from samdb.sam.sketch import Sketches, join, sketch, surely_overlaps

FRAME = Frame((720, 1280))


def logits(*blocks: tuple[int, int, int, int]) -> torch.Tensor:
    """Logits (1, 148, 256): 5 in the blocks (x0, y0, x1, y1), -5 elsewhere."""
    plain = torch.full((1, 148, 256), -5.0)
    for x0, y0, x1, y1 in blocks:
        plain[0, y0:y1, x0:x1] = 5.0
    return plain


def box_of(low_res: torch.Tensor) -> np.ndarray:
    """The box of the mask once drawn."""
    drawn = draw_mask(FRAME, low_res)
    assert drawn is not None
    return np.array(drawn.box_xyxy)


def test_the_bounds_enclose_the_drawn_box_on_both_sides() -> None:
    low_res = logits((10, 20, 40, 60))
    found, true = sketch(FRAME, low_res), box_of(low_res[0])
    # a low-resolution px is 5 px of a 720p frame
    assert found.outer_xyxy[0].tolist() == [46.25, 96.25, 203.75, 303.75]
    assert found.inner_xyxy[0].tolist() == [53.75, 103.75, 196.25, 296.25]
    assert (true[:2] >= found.outer_xyxy[0, :2]).all()
    assert (true[2:] <= found.outer_xyxy[0, 2:]).all()
    assert (true[:2] <= found.inner_xyxy[0, :2]).all()
    assert (true[2:] >= found.inner_xyxy[0, 2:]).all()


def test_bounds_hold_for_shapes_of_any_kind() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        smooth = torch.nn.functional.interpolate(
            torch.from_numpy(rng.normal(size=(1, 1, 10, 16))).float() * 8 - 6, (148, 256), mode="bicubic"
        )[0]
        drawn = draw_mask(FRAME, smooth[0])
        found = sketch(FRAME, smooth)
        if drawn is None:
            continue
        true = np.array(drawn.box_xyxy)
        assert (true[:2] >= found.outer_xyxy[0, :2]).all()
        assert (true[2:] <= found.outer_xyxy[0, 2:]).all()
        if not found.empty[0] and found.inner_xyxy[0, 2] > found.inner_xyxy[0, 0]:
            assert (true[:2] <= found.inner_xyxy[0, :2] + 1).all()
            assert (true[2:] >= found.inner_xyxy[0, 2:] - 1).all()


def test_a_speck_far_away_widens_the_outer_bound_only() -> None:
    found = sketch(FRAME, logits((10, 20, 40, 60), (200, 100, 201, 101)))
    assert found.outer_xyxy[0, 2] > 1000
    assert found.inner_xyxy[0].tolist() == [53.75, 103.75, 196.25, 296.25]


def test_nothing_is_sure_of_a_mask_of_single_pixels() -> None:
    found = sketch(FRAME, logits((50, 50, 51, 70)))
    assert not found.empty[0]
    assert found.inner_xyxy[0, 2] <= found.inner_xyxy[0, 0]
    assert not surely_overlaps(found, np.array([0.0, 0, 1280, 720]), 0.0).any()


def test_a_mask_without_a_pixel_is_empty_and_overlaps_nothing() -> None:
    found = sketch(FRAME, logits())
    assert found.empty[0]
    assert not surely_overlaps(found, np.array([0.0, 0, 1280, 720]), 0.0).any()


def test_stability_is_that_of_the_low_resolution_logits() -> None:
    low_res = logits((0, 0, 10, 10))
    low_res[0, 20:25, :10] = -0.5  # 50 px that are there one logit lower only
    assert sketch(FRAME, low_res).stability[0] == 100 / 150


def test_what_surely_overlaps_does_overlap() -> None:
    rng = np.random.default_rng(1)
    n_sure = 0
    for _ in range(60):
        x, y, w, h = rng.integers(0, 60, 4)
        low_res = logits((int(x), int(y), int(x + 30 + w), int(y + 30 + h)))
        other = np.array([x, y, x + 30 + w, y + 30 + h]) * 5.0 + rng.integers(-25, 25, 4)
        sure = bool(surely_overlaps(sketch(FRAME, low_res), other, 0.7)[0])
        n_sure += sure
        if sure:
            assert box_iou(box_of(low_res[0]), other)[0, 0] > 0.7
    assert n_sure >= 10


def test_sketches_can_be_chosen_from_and_joined() -> None:
    three = sketch(FRAME, torch.cat([logits((0, 0, 9, 9)), logits(), logits((3, 3, 5, 9))]))
    parts = [three.only(np.array([2])), three.only(np.array([0, 1]))]
    assert join(parts).empty.tolist() == [False, False, True]
    assert isinstance(join(parts), Sketches)
    assert join(parts).outer_xyxy.tolist() == three.outer_xyxy[[2, 0, 1]].tolist()
