"""Search by example in a world of four numbers, and in one of coloured rectangles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samdb.core.boxes import Box
from samdb.core.ids import image_point_id, make_id
from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.prompt import Prompt
from samdb.core.vectors import Vector, normalise
from samdb.core.where import parse_where
from samdb.datasets.images import read_image
from samdb.errors import ConfigError, InputError
from samdb.pipelines.empty_answer import explain_nothing
from samdb.pipelines.examples import Example, prompted_examples, recognised, stored_example
from samdb.pipelines.ledger import file_sha256
from samdb.pipelines.search import SearchHit, SearchRequest, search
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import memory_store, put, rows_around, stored
from tests.pipelines.ingest_worlds import (
    RectangleSegmenter,
    filled,
    new_store,
    noise,
    run_ingest,
    write_image,
    write_labels,
)


def towards(x: float, y: float = 0.0, z: float = 0.0, w: float = 0.0) -> Vector:
    """The unit vector in this direction."""
    return normalise(np.array([x, y, z, w]))


def names(hits: list[SearchHit], *known: str) -> list[str]:
    """The hits by the names they were stored under."""
    by_id = {make_id("test", name): name for name in known}
    return [by_id[h.segment.segment_id] for h in hits]


@pytest.fixture
def street() -> MemoryStore:
    """Five segments in the plane of e0 and e1, at 0, 30, 45, 60 and 90 degrees."""
    store = memory_store()
    angles = {"north": 0, "nne": 30, "ne": 45, "ene": 60, "east": 90}
    put(
        store,
        [
            stored(
                name,
                towards(float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))),
                "car" if angle < 45 else "bus",
                image=f"{i // 2}.jpg",
            )
            for i, (name, angle) in enumerate(angles.items())
        ],
    )
    return store


ALL = ("north", "nne", "ne", "ene", "east")


def test_hits_come_closest_first_with_rank_and_cosine(street: MemoryStore) -> None:
    hits = search(street, SearchRequest("neck", (Example(towards(1)),)))
    assert names(hits, *ALL) == list(ALL)
    assert [h.rank for h in hits] == [1, 2, 3, 4, 5]
    wanted = np.cos(np.radians([0, 30, 45, 60, 90]))
    np.testing.assert_allclose([h.score for h in hits], wanted, atol=1e-6)


def test_a_stored_example_is_not_its_own_hit(street: MemoryStore) -> None:
    example, segment = stored_example(street, make_id("test", "ne"), "neck")
    assert segment.class_name == "bus"
    hits = search(street, SearchRequest("neck", (example,)))
    assert names(hits, *ALL)[:2] in (["nne", "ene"], ["ene", "nne"])
    assert "ne" not in names(hits, *ALL)


def test_a_hit_is_as_good_as_its_closest_positive(street: MemoryStore) -> None:
    both = (Example(towards(1)), Example(towards(0, 1)))
    hits = search(street, SearchRequest("neck", both))
    scores = dict(zip(names(hits, *ALL), [h.score for h in hits], strict=True))
    assert scores["north"] == pytest.approx(1) == scores["east"]
    assert scores["nne"] == pytest.approx(np.cos(np.radians(30))) == scores["ene"]
    assert names(hits, *ALL)[-1] == "ne"


def test_what_is_closer_to_a_counter_example_comes_last(street: MemoryStore) -> None:
    request = SearchRequest("neck", (Example(towards(1)),), (Example(towards(0, 1)),))
    found = names(search(street, request), *ALL)
    assert found[:2] == ["north", "nne"]
    assert found[-1] == "east"  # the closest to the counter-example of all


def test_a_stored_counter_example_is_no_hit_either(street: MemoryStore) -> None:
    negative, _ = stored_example(street, make_id("test", "east"), "neck")
    hits = search(street, SearchRequest("neck", (Example(towards(1)),), (negative,)))
    assert "east" not in names(hits, *ALL)


def test_filters_and_limits_per_image_hold(street: MemoryStore) -> None:
    example = (Example(towards(1)),)
    cars = search(street, SearchRequest("neck", example, where=parse_where(["class_name=car"])))
    assert names(cars, *ALL) == ["north", "nne"]
    one_each = search(street, SearchRequest("neck", example, per_image=1))
    assert names(one_each, *ALL) == ["north", "ne", "east"]
    assert [h.rank for h in one_each] == [1, 2, 3]


@pytest.mark.parametrize("per_image", [None, 2])
def test_pages_hold_every_hit_once(per_image: int | None) -> None:
    store = memory_store()
    put(
        store,
        [stored(str(i), row, "car", image=f"{i % 9}.jpg") for i, row in enumerate(rows_around(0, 40, 0.4))],
    )
    whole = search(store, SearchRequest("neck", (Example(towards(1)),), limit=100, per_image=per_image))
    assert len(whole) == (40 if per_image is None else 18)
    pages = [
        search(store, SearchRequest("neck", (Example(towards(1)),), limit=7, offset=at, per_image=per_image))
        for at in range(0, 49, 7)
    ]
    joined = [hit for page in pages for hit in page]
    assert [h.segment.segment_id for h in joined] == [h.segment.segment_id for h in whole]
    assert [h.rank for h in joined] == list(range(1, len(whole) + 1))


def test_hits_know_where_their_image_is(street: MemoryStore) -> None:
    payload = {"dataset": "d", "image_id": "0.jpg", "path": "/photos/0.jpg", "status": "done"}
    street.upsert(IMAGES, [Point(image_point_id("d", "0.jpg"), {}, payload)])
    hits = search(street, SearchRequest("neck", (Example(towards(1)),), limit=3))
    assert [h.image_path for h in hits] == [Path("/photos/0.jpg"), Path("/photos/0.jpg"), None]


def test_a_search_without_example_is_refused() -> None:
    with pytest.raises(ConfigError, match="--segment"):
        SearchRequest("neck", ())
    with pytest.raises(ConfigError, match="at least 1"):
        SearchRequest("neck", (Example(towards(1)),), limit=0)


def test_an_id_that_is_not_stored_gets_a_clear_error(street: MemoryStore) -> None:
    with pytest.raises(InputError, match="there is no segment"):
        stored_example(street, make_id("test", "nowhere"), "neck")
    with pytest.raises(InputError, match="is not a segment id"):
        stored_example(street, "north", "neck")


def test_an_id_may_be_written_in_capitals(street: MemoryStore) -> None:
    example, _ = stored_example(street, make_id("test", "ne").upper(), "neck")
    assert example.same_as == {make_id("test", "ne")}


def test_a_segment_without_the_recipe_gets_a_clear_error(street: MemoryStore) -> None:
    with pytest.raises(InputError, match="no 'token' embedding"):
        stored_example(street, make_id("test", "ne"), "token")


def test_an_empty_answer_is_explained(street: MemoryStore) -> None:
    def why(*where: str, recipe: str = "neck") -> list[str]:
        return explain_nothing(street, recipe, towards(1), parse_where(where))

    assert why() == []
    assert why("class_name=car") == []
    assert why("class_name=cra") == ["class_name=cra matches nothing: class_name is bus (3), car (2)"]
    (unknown,) = why("colour=red")
    assert unknown.startswith("colour=red matches nothing: keys to filter by are area_px, class_name, ")
    assert "mask_counts" not in unknown
    assert why("area_px>=999") == ["area_px>=999 matches nothing"]
    assert why("class_name=car", "image_id=2.jpg")[0].startswith("each filter alone matches")
    assert why(recipe="token")[0].startswith("no other stored segment has a 'token' embedding")


# a world of coloured rectangles: each image has a car at BOX
BOX: Box = (4, 4, 28, 28)


@pytest.fixture
def gallery(tmp_path: Path) -> tuple[MemoryStore, Path]:
    """Three photographs of 32x48 px with one car each, stored; and their folder."""
    for i in range(3):
        image = np.full((32, 48, 3), 200, dtype=np.uint8)
        image[4:28, 4:28] = (60 * i, 90, 30)
        write_image(tmp_path / "images" / f"{i}.png", image)
    write_labels(tmp_path, {f"{i}.png": [(BOX, "car")] for i in range(3)})
    store = new_store()
    run_ingest(tmp_path, store)
    return store, tmp_path / "images"


def shown(store: MemoryStore, path: Path, prompt: Prompt) -> Example:
    """The example that this prompt gives on an image file."""
    found = prompted_examples(RectangleSegmenter(), read_image(path), [prompt], "neck")
    return recognised(store, found, "neck", file_sha256(path))[0][0]


def test_the_example_is_no_hit_when_its_own_image_is_stored(
    gallery: tuple[MemoryStore, Path], tmp_path: Path
) -> None:
    store, folder = gallery
    own = [p.id for p in store.scroll(SEGMENTS, parse_where(["image_id=images/1.png", "granularity=whole"]))]
    copy = tmp_path / "elsewhere.png"
    copy.write_bytes((folder / "1.png").read_bytes())
    for path in (folder / "1.png", copy):  # the same picture, wherever it lies
        example = shown(store, path, Prompt(box_xyxy=BOX))
        assert example.same_as == set(own)
        hits = search(store, SearchRequest("neck", (example,), where=parse_where(["granularity=whole"])))
        assert sorted(h.segment.image_id for h in hits) == ["images/0.png", "images/2.png"]


def test_a_box_drawn_a_little_differently_is_still_the_same_object(gallery: tuple[MemoryStore, Path]) -> None:
    store, folder = gallery
    assert shown(store, folder / "1.png", Prompt(box_xyxy=(4, 5, 28, 29))).same_as


def test_another_object_of_the_same_image_stays_a_hit(gallery: tuple[MemoryStore, Path]) -> None:
    store, folder = gallery
    assert not shown(store, folder / "1.png", Prompt(box_xyxy=(30, 2, 46, 30))).same_as


def test_the_same_object_of_another_picture_stays_a_hit(
    gallery: tuple[MemoryStore, Path], tmp_path: Path
) -> None:
    store, folder = gallery
    edited = tmp_path / "edited.png"
    pixels = read_image(folder / "1.png")
    pixels[0, 0] = 0
    write_image(edited, pixels)
    assert not shown(store, edited, Prompt(box_xyxy=BOX)).same_as


def test_a_mask_is_taken_as_it_is() -> None:
    image = noise(1)
    mask = np.zeros((32, 48), dtype=bool)
    mask[3:9, 5:20] = True
    mask[9:12, 5:8] = True  # an L, which the segmenter's rectangles cannot draw
    ((example, candidate),) = prompted_examples(
        RectangleSegmenter(), image, [Prompt(mask=Rle.encode(mask))], "neck"
    )
    assert (candidate.mask.decode() == mask).all()
    assert (candidate.box_xyxy, candidate.area_px, candidate.prompt_kind) == ((5, 3, 20, 12), 99, "mask")
    under = image[mask].astype(np.float64) / 255
    wanted = normalise(np.array([*under.mean(axis=0), *under.std(axis=0), 99 / 1e4, 1.0]))
    np.testing.assert_allclose(example.vector, wanted, atol=1e-6)


def test_a_box_that_sticks_out_of_the_image_is_clipped() -> None:
    ((_, candidate),) = prompted_examples(
        RectangleSegmenter(), noise(1), [Prompt(box_xyxy=(30, 20, 60, 40))], "neck"
    )
    assert candidate.box_xyxy == (30, 20, 48, 32)


NAN = float("nan")


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(box_xyxy=(50, 5, 60, 9)), "the box 50,5,60,9 lies outside the image of 48x32 px"),
        (Prompt(box_xyxy=(5, 5, 5, 9)), "inverted or empty"),
        (Prompt(box_xyxy=(9, 5, 5, 9)), "inverted or empty"),
        (Prompt(box_xyxy=(NAN, 5, 5, 9)), "not a finite number"),
        (Prompt(points_xy=((49, 5),), foreground=(True,)), r"the point \(49, 5\) lies outside"),
        (Prompt(points_xy=((NAN, 5),), foreground=(True,)), "lies outside"),
        (Prompt(mask=filled((1, 1, 5, 5), (30, 48))), "the mask is 48x30 px: it must be as large"),
        (Prompt(mask=Rle.encode(np.zeros((32, 48), dtype=bool))), "the mask is empty"),
    ],
)
def test_a_prompt_that_cannot_be_used_says_why(prompt: Prompt, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prompted_examples(RectangleSegmenter(), noise(1), [prompt], "neck")
