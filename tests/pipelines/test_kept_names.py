"""What people named keeps its name when its image is ingested anew, worked out on labelled rectangles."""

from __future__ import annotations

from pathlib import Path

import pytest

from samdb.core.boxes import Box
from samdb.core.points import Condition, Payload
from samdb.core.segment import Segment
from samdb.errors import StoreError
from samdb.pipelines.discover import name_cluster, unname
from samdb.pipelines.relabel import Relabelling, relabel, undo_relabel
from samdb.ports import VectorStore
from samdb.stores.codec import RELABELLED, point_to_segment
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.crashing_store import store_with
from tests.pipelines.ingest_worlds import (
    DIM,
    LABELLED_BOX,
    RECIPES,
    RectangleSegmenter,
    assert_same_points,
    contents,
    new_store,
    noise,
    run_ingest,
    write_image,
    write_labels,
    write_world,
)

AWAY: Box = (32, 4, 46, 28)
#: the lower half of the labelled box, right of its part: SAM finds it of itself
INSIDE: Box = (20, 10, 27, 27)
FIRST = "images/00.png"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Two images, each with a labelled car, which has a part and that a subpart."""
    return write_world(tmp_path / "world", 2)


def segments(store: VectorStore, image_id: str = FIRST) -> list[Segment]:
    """The segments of an image, the largest first."""
    found = store.scroll(SEGMENTS, (Condition("image_id", "=", (image_id,)),), RECIPES)
    return sorted(map(point_to_segment, found), key=lambda s: -s.area_px)


def names(store: VectorStore, image_id: str = FIRST) -> list[tuple[str | None, str]]:
    """The class of each segment and where it comes from."""
    return [(s.class_name, s.label_source) for s in segments(store, image_id)]


def payload(store: VectorStore, segment: Segment) -> Payload:
    return store.get(SEGMENTS, [segment.segment_id])[0].payload


def rename_car(store: VectorStore, name: str = "van") -> Relabelling:
    """Name the car of the first image anew; its parts follow."""
    done = relabel(store, [segments(store)[0].segment_id], name)
    assert (done.changed, done.inherited) == (1, 2)
    return done


def check_other_recipes(store: VectorStore, world: Path) -> None:
    """Ingest, name, ingest with more recipes: the names are there, with new vectors, and can be undone."""
    run_ingest(world, store)
    done = rename_car(store)
    report = run_ingest(world, store, recipes=RECIPES)
    assert (report.n_ingested, report.n_removed) == (2, 0)
    assert names(store) == [("van", "predicted"), ("van", "inherited"), ("van", "inherited")]
    assert names(store, "images/01.png") == [("car", "box"), ("car", "inherited"), ("car", "inherited")]
    assert all(set(s.embeddings) == set(RECIPES) for s in segments(store))
    assert run_ingest(world, store, recipes=RECIPES).n_unchanged == 2
    assert undo_relabel(store, done.undo_id, done.segment_ids) == 3
    assert names(store) == [("car", "box"), ("car", "inherited"), ("car", "inherited")]


def test_names_outlive_other_recipes(world: Path) -> None:
    check_other_recipes(new_store(), world)


def test_names_outlive_other_recipes_in_an_embedded_store(world: Path, tmp_path: Path) -> None:
    store = EdgeStore(tmp_path / "store")
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    check_other_recipes(store, world)
    store.close()


def test_a_name_stands_against_the_datasets_new_label_and_an_undo_gives_that_one(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    first, second = rename_car(store), rename_car(store, "bus")
    write_labels(world, {f"0{i}.png": [(LABELLED_BOX, "truck")] for i in range(2)})
    assert run_ingest(world, store).n_ingested == 2
    assert names(store)[0] == ("bus", "predicted")
    assert names(store, "images/01.png")[0] == ("truck", "box")
    assert undo_relabel(store, second.undo_id) == 3
    assert names(store)[0] == ("van", "predicted")
    assert undo_relabel(store, first.undo_id) == 3
    assert names(store) == [("truck", "box"), ("truck", "inherited"), ("truck", "inherited")]


def test_a_class_that_was_taken_away_stays_away(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    car = segments(store)[0]
    relabel(store, [car.segment_id], None)
    run_ingest(world, store, recipes=RECIPES)
    assert names(store)[0] == (None, "none")
    assert "class_name" not in payload(store, car)


def test_a_new_part_inherits_the_name_and_comes_back_with_the_others(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    done = rename_car(store)
    segmenter = RectangleSegmenter([INSIDE, AWAY])
    run_ingest(world, store, segmenter, prompts="both")
    found = {s.box_xyxy: (s.class_name, s.label_source) for s in segments(store)}
    assert found[INSIDE] == ("van", "inherited")
    assert found[AWAY] == (None, "none")
    assert undo_relabel(store, done.undo_id) == 4
    assert {s.box_xyxy: s.class_name for s in segments(store)}[INSIDE] == "car"


def test_what_discover_named_keeps_its_name_and_its_undo(world: Path) -> None:
    store, segmenter = new_store(), RectangleSegmenter([AWAY])
    run_ingest(world, store, segmenter, prompts="both")
    away = [s.segment_id for i in range(2) for s in segments(store, f"images/0{i}.png") if s.box_xyxy == AWAY]
    assert name_cluster(store, away, "cone") == 2
    # labels alone would drop these; in automatic mode the same masks come again
    run_ingest(world, store, segmenter, prompts="auto")
    assert names(store) == [("cone", "predicted")]
    assert unname(store, "cone") == 2
    assert RELABELLED not in payload(store, segments(store)[0])


def test_a_label_whose_box_moved_to_another_object_is_not_the_one_that_was_named(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    rename_car(store)
    ids = [s.segment_id for s in segments(store)]
    write_labels(world, {"00.png": [(AWAY, "car")], "01.png": [(LABELLED_BOX, "car")]})
    run_ingest(world, store)
    assert [s.segment_id for s in segments(store)] == ids
    assert names(store) == [("car", "box"), ("car", "inherited"), ("car", "inherited")]


def test_another_picture_under_the_same_name_has_no_names(world: Path) -> None:
    store = new_store()
    run_ingest(world, store)
    rename_car(store)
    write_image(world / FIRST, noise(99))
    run_ingest(world, store)
    assert names(store) == [("car", "box"), ("car", "inherited"), ("car", "inherited")]


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_crash_at_any_write_of_a_replacing_run_loses_no_name(world: Path, when: str) -> None:
    first = new_store()
    run_ingest(world, first)
    rename_car(first)
    wanted = _ingested_anew(store_with(first, None, when), world)
    whole = store_with(first, None, when)
    run_ingest(world, whole, recipes=RECIPES)
    assert whole.n_writes >= 6
    for position in range(1, whole.n_writes + 1):
        store = store_with(first, position, when)
        with pytest.raises(StoreError):
            run_ingest(world, store, recipes=RECIPES)
        assert_same_points(contents(_ingested_anew(store, world)), contents(wanted))


def _ingested_anew(store: MemoryStore, world: Path) -> MemoryStore:
    run_ingest(world, store, recipes=RECIPES)
    return store
