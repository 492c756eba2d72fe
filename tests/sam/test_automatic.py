"""Automatic masks: grid, crops and edges by hand and against the stock functions, then real runs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from samdb.core.boxes import box_iou
from samdb.errors import ConfigError
from samdb.sam.automatic import AutomaticSettings, FoundMask
from samdb.sam.crop_grid import crop_boxes, point_grid, touches_crop_edge
from samdb.sam.device import Compute
from samdb.sam.drawing import DrawnMask
from samdb.sam.segmenter import SamSegmenter
from tests.sam.material import LoadedModel, street


def block(x0: int, y0: int, x1: int, y1: int) -> DrawnMask:
    """A solid mask with this box."""
    return DrawnMask(np.ones((y1 - y0, x1 - x0), dtype=bool), (y0, x0), 1.0)


def test_the_grid_lies_in_the_middle_of_its_cells_row_by_row() -> None:
    assert point_grid(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert point_grid(1).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("per_side", [1, 5, 32])
def test_the_grid_is_the_stock_one(per_side: int) -> None:
    from segment_anything.utils.amg import build_point_grid

    assert point_grid(per_side) == pytest.approx(build_point_grid(per_side))


def test_without_layers_the_only_crop_is_the_image() -> None:
    assert crop_boxes((720, 1280), 0, 0.3) == [((0, 0, 1280, 720), 0)]


def test_crops_overlap_by_a_share_of_the_shorter_side() -> None:
    # 100 x 200 px, half of 100 shared: crops of (200 + 50) / 2 by (100 + 50) / 2, down the columns first
    assert crop_boxes((100, 200), 1, 0.5) == [
        ((0, 0, 200, 100), 0),
        ((0, 0, 125, 75), 1),
        ((0, 25, 125, 100), 1),
        ((75, 0, 200, 75), 1),
        ((75, 25, 200, 100), 1),
    ]


@pytest.mark.parametrize("size_hw", [(720, 1280), (333, 517), (1000, 40)])
@pytest.mark.parametrize("layers", [1, 2])
def test_crops_are_the_stock_ones(size_hw: tuple[int, int], layers: int) -> None:
    from segment_anything.utils.amg import generate_crop_boxes

    boxes, numbers = generate_crop_boxes(size_hw, layers, 512 / 1500)
    expected = [(tuple(box), layer) for box, layer in zip(boxes, numbers, strict=True)]
    assert crop_boxes(size_hw, layers, 512 / 1500) == expected


def test_an_image_of_a_few_pixels_has_no_crop_without_any() -> None:
    for box, _ in crop_boxes((1, 3), 2, 0.3):
        assert box[2] > box[0]
        assert box[3] > box[1]


def test_a_mask_cut_by_the_crops_edge_falls() -> None:
    crop, size_hw = (75, 25, 200, 100), (100, 200)
    assert touches_crop_edge(block(95, 60, 150, 80), crop, size_hw)  # its left edge is 20 px from x = 75
    assert not touches_crop_edge(block(96, 60, 150, 80), crop, size_hw)  # 21 px


def test_a_mask_at_an_edge_that_the_crop_shares_with_the_image_stays() -> None:
    crop, size_hw = (75, 25, 200, 100), (100, 200)
    assert not touches_crop_edge(block(120, 60, 200, 100), crop, size_hw)
    assert not touches_crop_edge(block(0, 0, 200, 100), (0, 0, 200, 100), size_hw)


def test_edges_are_judged_as_in_stock() -> None:
    from segment_anything.utils.amg import is_box_near_crop_edge

    rng = np.random.default_rng(0)
    crop, size_hw = [300, 200, 900, 700], (720, 1280)
    for _ in range(200):
        x0, x1 = sorted(rng.integers(300, 900, 2).tolist())
        y0, y1 = sorted(rng.integers(200, 700, 2).tolist())
        inside = torch.tensor([[x0 - 300, y0 - 200, x1 - 300, y1 - 200]])  # inclusive, in the crop
        expected = bool(is_box_near_crop_edge(inside, crop, [0, 0, 1280, 720])[0])
        mask = block(x0, y0, x1 + 1, y1 + 1)
        assert touches_crop_edge(mask, (300, 200, 900, 700), size_hw) == expected


@pytest.mark.parametrize(
    "make",
    [
        lambda: AutomaticSettings(points_per_side=0),
        lambda: AutomaticSettings(crop_layers=-1),
        lambda: AutomaticSettings(crop_points_divisor=0),
    ],
)
def test_settings_that_cannot_work_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ConfigError, match="at least"):
        make()


def test_an_unknown_mode_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="use exact or fast"):
        AutomaticSettings(mode="quick")  # type: ignore[arg-type]


def test_the_defaults_are_the_stock_ones() -> None:
    # the signature of segment_anything.SamAutomaticMaskGenerator
    s = AutomaticSettings()
    assert (s.points_per_side, s.min_predicted_iou, s.min_stability, s.nms_iou) == (32, 0.88, 0.95, 0.7)
    assert (s.crop_layers, s.crop_nms_iou, s.crop_overlap, s.crop_points_divisor) == (0, 0.7, 512 / 1500, 1)


def test_a_found_mask_names_its_output() -> None:
    assert FoundMask(block(0, 0, 2, 2), 0.9, 3).output == 3


def settled(model: LoadedModel, settings: AutomaticSettings) -> SamSegmenter:
    """A segmenter on the same networks with other settings."""
    return SamSegmenter(model.networks, Compute("cpu", "fp32"), weights_sha256="x", automatic=settings)


@pytest.mark.weights
def test_a_drawn_street_gives_its_things_best_first_and_once_each(fp32: LoadedModel) -> None:
    segmenter = settled(fp32, AutomaticSettings(points_per_side=6))
    found = segmenter.automatic(segmenter.encode(street()))
    boxes = np.array([m.box_xyxy for m in found])
    # the van and the sun of the drawing
    for thing in [(128, 180, 288, 270), (476, 36, 548, 108)]:
        assert box_iou(np.array(thing), boxes).max() > 0.9
    assert [m.predicted_iou for m in found] == sorted((m.predicted_iou for m in found), reverse=True)
    overlaps = box_iou(boxes, boxes) - np.eye(len(boxes))
    assert overlaps.max() <= 0.7 + 0.02  # stock compares boxes whose last pixel is included


@pytest.mark.weights
def test_the_fast_mode_asks_half_the_points_and_finds_the_things_too(fp32: LoadedModel) -> None:
    segmenter = settled(fp32, AutomaticSettings(points_per_side=12, mode="fast"))
    asked: list[int] = []
    embed = segmenter._decoder.point_embeddings

    def counted(points_xy: torch.Tensor, foreground: torch.Tensor) -> torch.Tensor:
        asked.append(len(points_xy))
        return embed(points_xy, foreground)

    segmenter._decoder.point_embeddings = counted  # type: ignore[method-assign]
    found = segmenter.automatic(segmenter.encode(street()))
    assert sum(asked) == 12 * 12 // 2
    boxes = np.array([m.box_xyxy for m in found])
    for thing in [(128, 180, 288, 270), (476, 36, 548, 108)]:
        assert box_iou(np.array(thing), boxes).max() > 0.85


@pytest.mark.weights
def test_crops_look_again_and_leave_no_duplicates(fp32: LoadedModel) -> None:
    settings = AutomaticSettings(points_per_side=4, crop_layers=1, crop_points_divisor=2)
    segmenter = settled(fp32, settings)
    image = street(240, 320)
    found = segmenter.automatic(segmenter.encode(image))
    assert found
    for m in found:
        assert m.mask.size_hw == (240, 320)
        assert m.box_xyxy == m.mask.box_xyxy
        assert m.area_px == m.mask.area_px > 0
        assert m.predicted_iou > settings.min_predicted_iou
        assert settings.min_stability <= m.stability_score <= 1
        assert m.output in (1, 2, 3)
        assert m.prompt_kind == "grid"
    boxes = np.array([m.box_xyxy for m in found])
    overlaps = box_iou(boxes, boxes) - np.eye(len(boxes))
    assert overlaps.max() <= settings.crop_nms_iou + 0.02
    assert [m.predicted_iou for m in found] == sorted((m.predicted_iou for m in found), reverse=True)


@pytest.mark.weights
def test_an_image_in_which_nothing_is_found_gives_no_masks(fp32: LoadedModel) -> None:
    segmenter = settled(fp32, AutomaticSettings(points_per_side=2, min_predicted_iou=2.0))
    assert segmenter.automatic(segmenter.encode(street(64, 64))) == []
