"""Cutting one image: prompts, the whole/part tree, inherited labels, background; on boxes, then with SAM."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from samdb.core.boxes import Box
from samdb.core.masks import Rle, mask_containment, mask_iou
from samdb.core.sample import Label, Sample
from samdb.core.segment import FLAG_BACKGROUND, FLAG_FOUND, FLAG_SUB_CELL, Segment
from samdb.pipelines.cutting import Cut, CutSettings, PromptMode, cut_image
from samdb.sam.segmenter import SamSegmenter
from tests.pipelines.ingest_worlds import Pixels, RectangleSegmenter, filled, noise
from tests.sam.material import street

SIZE_HW = (100, 200)
CAR = Label("1", "automobile", "car", (20, 20, 60, 60))
#: SAM's first output for the car, the left 60 % of it, and the upper half of that
WHOLE, LEFT, UPPER_LEFT = (20, 20, 60, 60), (20, 20, 44, 60), (20, 20, 44, 40)


def sample_of(*labels: Label, has_labels: bool = True, problems: tuple[str, ...] = ()) -> Sample:
    """An image with these labels, at night."""
    return Sample("d", "train", "a.png", Path("a.png"), labels, has_labels, {"timeofday": "night"}, problems)


def cut(sample: Sample, prompts: PromptMode = "labels", found: Sequence[Box] = ()) -> Cut:
    """Cut 100 x 200 px of noise."""
    image = Pixels(noise(0, SIZE_HW))
    return cut_image(RectangleSegmenter(found), image, sample, CutSettings(prompts, ("neck",)), "run")


def by_box(result: Cut) -> dict[Box, Segment]:
    """The segments by their tight boxes."""
    segments = {s.box_xyxy: s for s in result.segments}
    assert len(segments) == len(result.segments)
    return segments


def test_the_outputs_of_a_box_become_whole_part_and_subpart_of_its_class() -> None:
    segments = by_box(cut(sample_of(CAR)))
    assert segments.keys() == {WHOLE, LEFT, UPPER_LEFT}  # the fourth, a bad guess, is not kept
    whole, part, subpart = segments[WHOLE], segments[LEFT], segments[UPPER_LEFT]
    assert [s.granularity for s in (whole, part, subpart)] == ["whole", "part", "subpart"]
    assert [s.parent_id for s in (whole, part, subpart)] == [None, whole.segment_id, part.segment_id]
    assert [s.label_source for s in (whole, part, subpart)] == ["box", "inherited", "inherited"]
    for segment in (whole, part, subpart):
        assert (segment.class_name, segment.source_category, segment.label_id) == ("car", "automobile", "1")
        assert (segment.prompt_kind, segment.flags) == ("box", ())
    assert [s.label_box_xyxy for s in (whole, part, subpart)] == [WHOLE, None, None]


def test_a_part_of_a_few_pixels_is_left_out() -> None:
    tiny = dataclasses.replace(CAR, box_xyxy=(20, 20, 30, 30))  # its left 60 % are 60 px, the least is 64
    assert by_box(cut(sample_of(tiny))).keys() == {(20, 20, 30, 30)}


def test_a_label_with_a_mask_keeps_its_own_mask() -> None:
    own = filled((20, 20, 60, 50), SIZE_HW)
    segments = by_box(cut(sample_of(dataclasses.replace(CAR, mask=own))))
    whole = segments[(20, 20, 60, 50)]
    assert whole.mask == own
    assert whole.area_px == 40 * 30
    assert (whole.label_source, whole.prompt_kind, whole.label_box_xyxy) == ("mask", "mask", WHOLE)
    # of LEFT only three quarters lie in the mask; UPPER_LEFT lies in it and so is its part
    assert segments.keys() == {(20, 20, 60, 50), UPPER_LEFT}
    assert segments[UPPER_LEFT].parent_id == whole.segment_id


def test_a_label_with_only_a_mask_is_prompted_with_its_tight_box() -> None:
    own = filled((20, 20, 60, 60), SIZE_HW)
    whole = by_box(cut(sample_of(Label("1", "car", "car", None, own))))[WHOLE]
    assert (whole.mask, whole.label_source, whole.label_box_xyxy) == (own, "mask", None)


def test_attributes_of_the_frame_and_of_the_object_are_kept() -> None:
    label = dataclasses.replace(CAR, attributes={"occluded": True})
    for segment in cut(sample_of(label), "both", [(120, 20, 180, 80)]).segments:
        occluded = {} if segment.class_name is None else {"occluded": True}
        assert segment.attributes == {"timeofday": "night", **occluded}


def test_a_box_that_sticks_out_is_clipped_and_kept_as_it_was_given() -> None:
    label = dataclasses.replace(CAR, box_xyxy=(-10, -10, 30, 30))
    result = cut(sample_of(label))
    assert result.problems == ()
    assert by_box(result)[(0, 0, 30, 30)].label_box_xyxy == (-10, -10, 30, 30)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Label("9", "c", "c", (float("nan"), 0, 9, 9)), "not a finite number"),
        (Label("9", "c", "c", (30, 30, 20, 40)), "inverted"),
        (Label("9", "c", "c", (30, 30, 30, 40)), "empty"),
        (Label("9", "c", "c", (200, 10, 240, 40)), "outside the image of 200x100 px"),
        (Label("9", "c", "c", (30.2, 30, 30.7, 90)), "0.5x60 px inside the image, less than a pixel"),
        (Label("9", "c", "c", (-50, 30, 0.5, 90)), "0.5x60 px inside the image, less than a pixel"),
        (Label("9", "c", "c", (1, 1, 9, 9), filled((1, 1, 9, 9), (50, 60))), "60x50 px, this one is 200x100"),
        (Label("9", "c", "c", (1, 1, 9, 9), filled((0, 0, 0, 0), SIZE_HW)), "its mask is empty"),
    ],
)
def test_a_label_that_cannot_be_used_is_reported_and_the_others_are_cut(bad: Label, reason: str) -> None:
    result = cut(sample_of(bad, CAR))
    (problem,) = result.problems
    assert problem.startswith("label 9 (c): ")
    assert reason in problem
    assert by_box(result).keys() == {WHOLE, LEFT, UPPER_LEFT}


def test_a_mask_of_one_pixel_is_used_where_its_box_alone_would_be_too_small() -> None:
    label = Label("1", "c", "c", (10.2, 10.2, 10.8, 10.8), filled((10, 10, 11, 11), SIZE_HW))
    (segment,) = cut(sample_of(label)).segments
    assert segment.area_px == 1
    assert segment.flags == (FLAG_SUB_CELL,)


def test_problems_of_the_sample_are_passed_on() -> None:
    assert cut(sample_of(CAR, problems=("label 3: no category",))).problems == ("label 3: no category",)


def test_an_automatic_mask_of_a_labelled_object_is_that_object_again() -> None:
    segments = by_box(cut(sample_of(CAR), "both", [(21, 21, 60, 60), (20, 20, 44, 59)]))
    assert segments.keys() == {WHOLE, LEFT, UPPER_LEFT}
    # 1521 of the object's 1600 px and nothing else; the quarter was not found again
    assert FLAG_FOUND in segments[WHOLE].flags
    assert FLAG_FOUND not in segments[UPPER_LEFT].flags


def test_an_automatic_mask_inside_a_labelled_object_is_its_part() -> None:
    segments = by_box(cut(sample_of(CAR), "both", [(46, 22, 58, 58)]))
    part = segments[(46, 22, 58, 58)]
    assert part.parent_id == segments[WHOLE].segment_id
    assert (part.granularity, part.prompt_kind) == ("part", "grid")
    assert (part.class_name, part.label_source, part.label_id) == ("car", "inherited", "1")
    assert FLAG_BACKGROUND not in part.flags


def test_an_automatic_mask_that_straddles_the_edge_does_not_take_parts_away_from_the_object() -> None:
    straddling, part = (40, 20, 90, 40), (46, 22, 58, 38)
    segments = by_box(cut(sample_of(CAR), "both", [straddling, part]))
    assert segments[part].class_name == "car"
    assert segments[part].parent_id == segments[WHOLE].segment_id
    assert (segments[straddling].class_name, segments[straddling].flags) == (None, ())


def test_an_automatic_mask_away_from_every_label_is_background_and_so_are_its_parts() -> None:
    segments = by_box(cut(sample_of(CAR), "both", [(120, 20, 180, 80), (130, 30, 150, 50)]))
    away, inner = segments[(120, 20, 180, 80)], segments[(130, 30, 150, 50)]
    assert (away.class_name, away.label_source, away.label_id, away.parent_id) == (None, "none", None, None)
    assert (inner.parent_id, inner.granularity) == (away.segment_id, "part")
    assert away.flags == inner.flags == (FLAG_BACKGROUND,)


def test_what_touches_a_label_is_not_background() -> None:
    # 10 of 60 columns on the car
    assert by_box(cut(sample_of(CAR), "both", [(50, 20, 110, 60)]))[(50, 20, 110, 60)].flags == ()


def test_a_mask_over_a_crowd_is_not_background_though_it_has_little_on_each_of_them() -> None:
    crowd = [Label(str(i), "person", "person", (i * 20, 0, i * 20 + 8, 40)) for i in range(10)]
    over_all = (0, 0, 200, 40)  # 4 % of it on each person, 40 % on all
    assert by_box(cut(sample_of(*crowd), "both", [over_all]))[over_all].flags == ()


def test_in_an_image_that_nobody_labelled_nothing_is_known_to_be_background() -> None:
    (segment,) = cut(sample_of(has_labels=False), "auto", [(120, 20, 180, 80)]).segments
    assert (segment.flags, segment.label_source) == ((), "none")


def test_in_an_image_labelled_as_empty_everything_is_background() -> None:
    (segment,) = cut(sample_of(), "auto", [(120, 20, 180, 80)]).segments
    assert segment.flags == (FLAG_BACKGROUND,)


@pytest.mark.parametrize(
    "sample",
    [
        sample_of(CAR, problems=("label 3: box2d is inverted",)),
        sample_of(CAR, Label("9", "c", "c", (float("nan"), 0, 9, 9))),
        sample_of(CAR, Label("9", "c", "c", (1, 1, 9, 9), filled((1, 1, 9, 9), (50, 60)))),
    ],
)
def test_where_a_label_had_to_be_left_out_nothing_is_known_to_be_background(sample: Sample) -> None:
    away = (120, 20, 180, 80)
    assert by_box(cut(sample, "both", [away]))[away].flags == ()


def test_an_ignored_label_is_no_prompt_but_what_touches_it_is_not_background() -> None:
    ignored = Label("2", "other vehicle", "other vehicle", (120, 20, 180, 80), ignore=True)
    on_it, away = (125, 25, 175, 75), (70, 20, 110, 60)
    segments = by_box(cut(sample_of(CAR, ignored), "both", [on_it, away]))
    assert segments.keys() == {WHOLE, LEFT, UPPER_LEFT, on_it, away}
    assert (segments[on_it].class_name, segments[on_it].flags) == (None, ())
    assert segments[away].flags == (FLAG_BACKGROUND,)


def test_automatic_prompts_alone_cut_no_labels_but_know_the_background() -> None:
    segments = by_box(cut(sample_of(CAR), "auto", [WHOLE, (120, 20, 180, 80)]))
    assert (segments[WHOLE].class_name, segments[WHOLE].label_source) == (None, "none")
    assert segments[WHOLE].flags == ()
    assert segments[(120, 20, 180, 80)].flags == (FLAG_BACKGROUND,)


def test_a_mask_that_several_grid_points_give_is_stored_once() -> None:
    assert len(cut(sample_of(has_labels=False), "auto", [WHOLE, WHOLE, (70, 20, 110, 60)]).segments) == 2


def test_ids_depend_on_the_label_and_the_mask_and_nothing_else() -> None:
    found = [(120, 20, 180, 80)]
    first = {s.segment_id for s in cut(sample_of(CAR), "both", found).segments}
    again = {s.segment_id for s in cut(sample_of(CAR), "both", [(70, 20, 110, 60), *found]).segments}
    other = {s.segment_id for s in cut(sample_of(dataclasses.replace(CAR, label_id="2"))).segments}
    assert first < again
    assert not first & other


def test_an_image_without_labels_gives_nothing_to_label_prompts() -> None:
    assert cut(sample_of(has_labels=False)) == Cut((), ())


@pytest.mark.weights
def test_sam_cuts_a_drawn_street_into_the_van_its_parts_and_the_background(sam: SamSegmenter) -> None:
    van: Box = (128, 180, 288, 270)
    label = Label("1", "van", "car", van)
    image = sam.encode(street())
    settings = CutSettings("both", ("backbone", "token"))
    result = cut_image(sam, image, sample_of(label), settings, "run")
    labelled = [s for s in result.segments if s.label_source == "box"]
    assert [(s.class_name, s.granularity) for s in labelled] == [("car", "whole")]
    assert mask_iou([labelled[0].mask], [filled(van, (360, 640))])[0, 0] > 0.95
    others = [s for s in result.segments if s is not labelled[0]]
    assert mask_iou([s.mask for s in others], [labelled[0].mask]).max() < 0.8
    assert any(s.prompt_kind == "grid" for s in others)
    for segment in others:
        share = float(mask_containment([segment.mask], [labelled[0].mask])[0, 0])
        assert (FLAG_BACKGROUND in segment.flags) == (segment.prompt_kind == "grid" and share < 0.05)
    assert_sound(result.segments)


@pytest.mark.weights
def test_every_pixel_of_an_image_of_one_pixel_is_found_once(sam: SamSegmenter) -> None:
    image = sam.encode(np.full((1, 1, 3), 200, dtype=np.uint8))
    sample = sample_of(Label("1", "car", "car", (0, 0, 1, 1)))
    (segment,) = cut_image(sam, image, sample, CutSettings("both", ("neck",)), "run").segments
    assert (segment.area_px, segment.label_source) == (1, "box")


def assert_sound(segments: Sequence[Segment]) -> None:
    """Every part lies in its parent, which is larger, and has the class of its whole."""
    by_id = {s.segment_id: s for s in segments}
    assert len(by_id) == len(segments)
    for segment in segments:
        mask: Rle = segment.mask
        assert (segment.area_px, segment.box_xyxy) == (mask.area_px, mask.box_xyxy)
        assert (segment.parent_id is None) == (segment.granularity == "whole")
        if segment.parent_id is not None:
            parent = by_id[segment.parent_id]
            assert mask_containment([mask], [parent.mask])[0, 0] >= 0.9
            assert segment.area_px <= 0.8 * parent.area_px
            assert (segment.class_name, segment.label_id) == (parent.class_name, parent.label_id)
