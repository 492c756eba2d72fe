"""Classifying images in a world of coloured rectangles: cars are red, buses are blue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.bank import BankCard
from samdb.core.boxes import Box
from samdb.core.sample import Label, Sample
from samdb.datasets.images import read_image
from samdb.errors import BankError
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.classify import ClassifiedImage, classify_image
from samdb.pipelines.pictures import ShownExample, picture_names, write_overlay, write_sheet
from samdb.pipelines.search import SearchHit
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import stored
from tests.pipelines.ingest_worlds import (
    RectangleSegmenter,
    filled,
    new_store,
    run_ingest,
    write_image,
    write_labels,
)

LEFT: Box = (4, 4, 22, 28)
RIGHT: Box = (26, 4, 44, 28)
RED, BLUE = (220, 30, 30), (30, 30, 220)


def picture(left: tuple[int, int, int], right: tuple[int, int, int], seed: int = 0) -> NDArray[np.uint8]:
    """A grey image (32, 48, 3) with a rectangle at LEFT and one at RIGHT, and a little noise."""
    image = np.full((32, 48, 3), 128.0)
    image[4:28, 4:22], image[4:28, 26:44] = left, right
    image += np.random.default_rng(seed).normal(scale=4, size=image.shape)
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


@pytest.fixture
def world(tmp_path: Path) -> tuple[MemoryStore, BankCard]:
    """A store with a bank of 12 cars and 12 buses."""
    labels = {}
    for i in range(12):
        write_image(tmp_path / "images" / f"{i:02}.png", picture(RED, BLUE, i))
        labels[f"{i:02}.png"] = [(LEFT, "car"), (RIGHT, "bus")]
    write_labels(tmp_path, labels)
    store = new_store()
    run_ingest(tmp_path, store)
    return store, build_bank(store, recipe="neck", fingerprint="weights-1").card


def labelled(path: Path, *labels: Label) -> Sample:
    """A sample with these labels."""
    return Sample("d", "", path.name, path, labels, has_labels=True)


def classified(
    world: tuple[MemoryStore, BankCard], path: Path, pixels: NDArray[np.uint8], *labels: Label
) -> ClassifiedImage:
    """Classify the labels of an image."""
    write_image(path, pixels)
    return classify_image(labelled(path, *labels), pixels, RectangleSegmenter(), world[0], world[1], "labels")


def test_every_labelled_box_gets_a_class_and_keeps_its_label(
    world: tuple[MemoryStore, BankCard], tmp_path: Path
) -> None:
    left, right = Label("l", "bus", "bus", LEFT), Label("r", "bus", "bus", RIGHT)
    image = classified(world, tmp_path / "new.png", picture(RED, BLUE, 99), left, right)
    assert [(s.prediction.class_name, s.label) for s in image.segments] == [("car", left), ("bus", right)]
    assert [s.segment.label_box_xyxy for s in image.segments] == [LEFT, RIGHT]
    assert all(0 < s.prediction.score <= 1 for s in image.segments)
    assert image.segments[0].prediction.runner_up in ("bus", None)
    assert (image.size_hw, image.problems) == ((32, 48), ())


def test_nothing_is_stored(world: tuple[MemoryStore, BankCard], tmp_path: Path) -> None:
    before = world[0].count("segments")
    classified(world, tmp_path / "new.png", picture(RED, BLUE, 99), Label("l", "", "", LEFT))
    assert world[0].count("segments") == before


def test_automatic_segments_have_no_label(world: tuple[MemoryStore, BankCard], tmp_path: Path) -> None:
    store, card = world
    pixels = picture(BLUE, RED, 98)
    sample = Sample("d", "", "x.png", tmp_path / "x.png")
    image = classify_image(sample, pixels, RectangleSegmenter(found=(LEFT, RIGHT)), store, card, "auto")
    assert [(s.prediction.class_name, s.label) for s in image.segments] == [("bus", None), ("car", None)]


def test_an_image_in_which_nothing_is_found_has_no_segments(world: tuple[MemoryStore, BankCard]) -> None:
    store, card = world
    image = classify_image(
        Sample("d", "", "x", Path("x")), picture(RED, RED), RectangleSegmenter(), store, card
    )
    assert image.segments == ()


def test_a_box_outside_the_image_is_a_problem_and_the_others_go_on(
    world: tuple[MemoryStore, BankCard], tmp_path: Path
) -> None:
    outside, right = Label("o", "car", "car", (100, 4, 110, 9)), Label("r", "bus", "bus", RIGHT)
    image = classified(world, tmp_path / "new.png", picture(RED, BLUE), outside, right)
    assert [s.label for s in image.segments] == [right]
    (problem,) = image.problems
    assert "outside the image" in problem


def test_a_bank_of_other_weights_or_another_model_is_refused(world: tuple[MemoryStore, BankCard]) -> None:
    store, card = world
    pixels, sample = picture(RED, BLUE), Sample("d", "", "x", Path("x"))
    with pytest.raises(BankError, match="other weights"):
        classify_image(sample, pixels, RectangleSegmenter(weights="weights-2"), store, card)
    with pytest.raises(BankError, match="--model vit_t"):
        classify_image(sample, pixels, RectangleSegmenter(model="vit_b"), store, card)


def test_the_overlay_shows_the_photograph_in_colour(
    world: tuple[MemoryStore, BankCard], tmp_path: Path
) -> None:
    image = classified(world, tmp_path / "new.png", picture(RED, BLUE, 99), Label("l", "car", "car", LEFT))
    path = write_overlay(image, tmp_path / "deep" / "folder" / "overlay.png")
    drawn = read_image(path)
    assert drawn.shape[0] > 32
    assert drawn.reshape(-1, 3).std(axis=0).min() > 5


def test_a_sheet_says_which_hits_it_cannot_show(tmp_path: Path) -> None:
    write_image(tmp_path / "there.png", np.full((40, 60, 3), 90, dtype=np.uint8))
    write_image(tmp_path / "replaced.png", np.full((10, 10, 3), 90, dtype=np.uint8))
    segment = stored("a", np.array([1, 0, 0, 0], dtype=np.float32), "car")
    paths = [tmp_path / "there.png", tmp_path / "gone.png", tmp_path / "replaced.png", None]
    hits = [SearchHit(rank, 0.9, segment, path) for rank, path in enumerate(paths, 1)]
    example = ShownExample(tmp_path / "there.png", filled((2, 2, 9, 9), (40, 60)), (2, 2, 9, 9), "there.png")
    left_out = write_sheet(hits, tmp_path / "sheet.png", example)
    assert [h.rank for h in left_out] == [2, 3, 4]
    assert read_image(tmp_path / "sheet.png").std() > 5


def test_pictures_of_images_with_one_name_do_not_overwrite_each_other() -> None:
    def named(*image_ids: str) -> list[str]:
        root = Sample("d", "", "", Path("/d"))
        samples = [replace(root, image_id=i, path=Path("/d") / i) for i in image_ids]
        return [name.as_posix() for name in picture_names(samples)]

    assert named("x/a.jpg", "y/b.jpg") == ["a.png", "b.png"]
    assert named("x/a.jpg", "y/a.jpg", "b.jpg") == ["x/a.png", "y/a.png", "b.png"]
    assert named("x/a.jpg", "x/a.png") == ["x/a.jpg.png", "x/a.png.png"]
    assert named("A.jpg", "a.jpg") == ["A.jpg.png", "a.jpg.png"]
