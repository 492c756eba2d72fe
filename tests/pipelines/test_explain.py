"""Explanations in a world of coloured rectangles: cars are red, buses are blue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samdb.core.bank import BankCard
from samdb.core.sample import Sample
from samdb.datasets.images import read_image
from samdb.errors import ImageError
from samdb.pipelines.classify import ClassifiedImage, classify_image
from samdb.pipelines.explain import explain
from samdb.pipelines.explain_pictures import caption, verdict, write_explanation, write_explanations
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.ingest_worlds import RectangleSegmenter, write_image
from tests.pipelines.test_classify import BLUE, LEFT, RED, RIGHT, picture, world

__all__ = ["world"]


@pytest.fixture
def red_and_blue(world: tuple[MemoryStore, BankCard], tmp_path: Path) -> ClassifiedImage:
    """A red and a blue rectangle, classified."""
    write_image(tmp_path / "new.png", picture(RED, BLUE, 99))
    sample = Sample("d", "", "new.png", tmp_path / "new.png")
    found = RectangleSegmenter(found=(LEFT, RIGHT))
    return classify_image(sample, read_image(sample.path), found, *world)


def test_the_nearest_prototypes_come_with_the_real_segments_behind_them(
    world: tuple[MemoryStore, BankCard], red_and_blue: ClassifiedImage
) -> None:
    red, blue = explain(*world, red_and_blue.segments)
    assert (red.witnesses[0].class_name, blue.witnesses[0].class_name) == ("car", "bus")
    exemplar = red.witnesses[0].exemplar
    assert exemplar is not None
    assert (exemplar.class_name, exemplar.box_xyxy) == ("car", LEFT)
    assert red.witnesses[0].image_path is not None
    cosines = [w.cosine for w in red.witnesses]
    assert cosines == sorted(cosines, reverse=True)


def test_shares_are_those_of_the_vote(
    world: tuple[MemoryStore, BankCard], red_and_blue: ClassifiedImage
) -> None:
    store, card = world
    (red, _) = explain(store, card, red_and_blue.segments)
    assert sum(w.share for w in red.witnesses) == pytest.approx(1.0)
    own = [w for w in red.witnesses if w.class_name == "car"]
    share_times_cosine = sum(w.share for w in own) * max(w.cosine for w in own)
    assert red.prediction.score == pytest.approx(share_times_cosine)
    one = explain(store, replace(card, k_neighbours=1), red_and_blue.segments[:1])[0]
    assert [w.share for w in one.witnesses[:2]] == [1.0, 0.0]


def test_the_margin_is_that_to_the_next_class(
    world: tuple[MemoryStore, BankCard], red_and_blue: ClassifiedImage
) -> None:
    item = red_and_blue.segments[0]
    two = replace(item.prediction, scores=(("car", 0.7), (None, 0.2), ("bus", 0.1)))
    one = replace(item.prediction, scores=(("car", 0.7),))
    asked = [replace(item, prediction=p, votes={"car": 0.6}, parts=2) for p in (two, one)]
    first, second = explain(*world, asked)
    assert (first.margin, second.margin) == pytest.approx((0.5, 1.0))
    assert "margin 0.50 over background (0.20)" in caption(first)
    assert "its parts: car 0.60" in caption(first)
    assert "answers for 2 more segments" in caption(first)
    assert "nothing but car had a vote" in caption(second)


def test_an_exemplar_that_is_gone_is_told(
    world: tuple[MemoryStore, BankCard], red_and_blue: ClassifiedImage, tmp_path: Path
) -> None:
    store, card = world
    store.delete(SEGMENTS, ids=[p.id for p in store.scroll(SEGMENTS)])
    (red, _) = explain(store, card, red_and_blue.segments)
    assert {w.exemplar for w in red.witnesses} == {None}
    assert red.witnesses[0].exemplar_id is not None
    path = write_explanation(red, red_and_blue.sample.path, tmp_path / "why.png")
    assert read_image(path).std() > 5


def test_pictures_are_numbered_and_no_more_than_asked_for(
    world: tuple[MemoryStore, BankCard], red_and_blue: ClassifiedImage, tmp_path: Path
) -> None:
    found = explain(*world, red_and_blue.segments)
    paths = write_explanations(found, red_and_blue.sample.path, tmp_path / "why", 1)
    assert [p.name for p in paths] == ["01.png"]
    assert read_image(paths[0]).std() > 5
    with pytest.raises(ImageError, match="classify it again"):
        write_explanation(found[0], tmp_path / "gone.png", tmp_path / "why.png")


def test_a_verdict_names_what_cannot_be_told_apart(
    world: tuple[MemoryStore, BankCard], red_and_blue: ClassifiedImage
) -> None:
    (red, _) = explain(*world, red_and_blue.segments)
    both = replace(red, prediction=replace(red.prediction, classes=("car", "bus")))
    assert verdict(both) == "car or bus"
