"""The contract, first part: writing, reading, filtering, counting. Runs against every store."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.points import CollectionSpec, Condition, Operator, Payload, PayloadValue, Point, Scalar
from samdb.errors import StoreError, StoreLayoutError, StoreRejectedError
from samdb.ports import VectorStore
from tests.stores.worlds import SPEC, degrees, point, uid, vec

NAME = SPEC.name


def is_(key: str, op: Operator, *values: Scalar) -> tuple[Condition, ...]:
    return (Condition(key, op, values),)


def test_a_new_store_has_no_collections(bare_store: VectorStore) -> None:
    assert bare_store.collections() == []


def test_a_collection_is_listed_once_however_often_it_is_created(store: VectorStore) -> None:
    store.upsert(NAME, [point(1)])
    store.create_collection(SPEC)
    assert store.collections() == [NAME]
    assert store.count(NAME) == 1


def test_a_collection_has_a_plain_name(bare_store: VectorStore) -> None:
    # a name is a folder's, and comes after a prefix on a server
    for name in ("../x", "a/b", "", ".", "a_b", "A", "1"):
        with pytest.raises(StoreRejectedError, match="cannot be called"):
            bare_store.create_collection(CollectionSpec(name, {"a": 2}, {}))
    assert bare_store.collections() == []


def test_a_dropped_collection_is_gone_and_can_be_created_anew(store: VectorStore) -> None:
    store.upsert(NAME, [point(1)])
    store.drop_collection(NAME)
    assert store.collections() == []
    store.drop_collection(NAME)  # again does no harm
    store.create_collection(SPEC)
    assert store.count(NAME) == 0


def test_a_missing_collection_says_what_to_do(bare_store: VectorStore) -> None:
    for ask in (
        lambda: bare_store.count("segments"),
        lambda: bare_store.get("segments", [uid(1)]),
        lambda: bare_store.scroll("segments"),
        lambda: bare_store.upsert("segments", [point(1)]),
        lambda: bare_store.status("segments"),
    ):
        with pytest.raises(StoreLayoutError, match="samdb ingest"):
            ask()


def test_a_collection_gains_the_indexes_it_lacks(bare_store: VectorStore) -> None:
    store = bare_store
    store.create_collection(SPEC)
    store.upsert(NAME, [point(1, {"weather": "rainy"})])
    with pytest.raises(StoreRejectedError, match="weather"):
        store.facet(NAME, "weather")
    store.create_collection(CollectionSpec(NAME, SPEC.vectors, {**SPEC.indexes, "weather": "keyword"}))
    assert store.facet(NAME, "weather") == {"rainy": 1}
    assert store.facet(NAME, "class_name") == {}


def test_a_dimension_cannot_change(store: VectorStore) -> None:
    with pytest.raises(StoreLayoutError, match="2 dimensions"):
        store.create_collection(CollectionSpec(NAME, {"a": 4}, {}))


def test_what_is_written_is_read_back(store: VectorStore) -> None:
    payload: Payload = {
        "text": "é ß 日本",
        "integer": 7,
        "float": 0.25,
        "whole": 3.0,
        "yes": True,
        "list": [1, 2, 3],
        "boxes": [[0.5, 1.0], [2.0, 3.5]],
        "object": {"inner": "x"},
        "nothing": None,
    }
    store.upsert(NAME, [Point(uid(1), {"a": vec(3, 4), "b": vec(0, 0, 2)}, payload)])
    (got,) = store.get(NAME, [uid(1)], ["a", "b"])
    assert got.id == uid(1)
    assert got.payload == payload
    assert got.payload["yes"] is True
    # cosine stores keep directions, not lengths
    np.testing.assert_allclose(got.vectors["a"], [0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(got.vectors["b"], [0, 0, 1], atol=1e-6)
    assert got.vectors["a"].dtype == np.float32


def test_only_the_vectors_asked_for_come_back(store: VectorStore) -> None:
    store.upsert(NAME, [Point(uid(1), {"a": vec(1, 0), "b": vec(0, 0, 1)}, {})])
    assert store.get(NAME, [uid(1)])[0].vectors == {}
    assert set(store.get(NAME, [uid(1)], ["b"])[0].vectors) == {"b"}


def test_points_carry_any_subset_of_the_vectors(store: VectorStore) -> None:
    store.upsert(NAME, [point(1), Point(uid(2), {"b": vec(1, 0, 0)}, {}), Point(uid(3), {}, {"k": "v"})])
    found = {p.id: set(p.vectors) for p in store.scroll(NAME, with_vectors=("a", "b"))}
    assert found == {uid(1): {"a"}, uid(2): {"b"}, uid(3): set()}


def test_a_collection_without_vectors_holds_records(bare_store: VectorStore) -> None:
    bare_store.create_collection(CollectionSpec("meta", {}, {"kind": "keyword"}, quantized=False))
    bare_store.upsert("meta", [Point(uid(1), {}, {"kind": "fact", "value": {"x": 1}})])
    bare_store.set_payload("meta", [uid(1)], {"value": 2})
    assert bare_store.get("meta", [uid(1)])[0].payload == {"kind": "fact", "value": 2}
    assert bare_store.count("meta", is_("kind", "=", "fact")) == 1
    bare_store.flush("meta")
    bare_store.optimize("meta")


def test_get_keeps_the_order_asked_for_and_leaves_out_what_is_missing(store: VectorStore) -> None:
    store.upsert(NAME, [point(n) for n in (1, 2, 3)])
    for vectors in ((), ("a",)):
        assert [p.id for p in store.get(NAME, [uid(3), uid(9), uid(1)], vectors)] == [uid(3), uid(1)]
        assert [p.id for p in store.get(NAME, [uid(3), uid(1), uid(2)], vectors)] == [uid(3), uid(1), uid(2)]
        assert [p.id for p in store.get(NAME, [uid(3), uid(1), uid(3)], vectors)] == [uid(3), uid(1), uid(3)]
    assert store.get(NAME, []) == []


def test_what_was_read_before_a_change_is_read_anew_after_it(store: VectorStore) -> None:
    store.upsert(NAME, [point(1, {"path": "a"}), point(2, {"path": "b"})])

    def paths() -> list[PayloadValue]:
        return [p.payload["path"] for p in store.get(NAME, [uid(1), uid(2)])]

    assert paths() == ["a", "b"]
    store.set_payload(NAME, [uid(2)], {"path": "c"})
    assert paths() == ["a", "c"]
    store.upsert(NAME, [point(1, {"path": "d"})])
    assert paths() == ["d", "c"]
    store.delete(NAME, ids=[uid(1)])
    assert paths() == ["c"]
    store.delete(NAME, where=is_("path", "=", "c"))
    assert paths() == []


def test_the_same_id_replaces_the_whole_point(store: VectorStore) -> None:
    store.upsert(NAME, [Point(uid(1), {"a": vec(1, 0), "b": vec(1, 0, 0)}, {"old": 1, "both": 1})])
    store.upsert(NAME, [Point(uid(1), {"a": vec(0, 1)}, {"both": 2})])
    (got,) = store.get(NAME, [uid(1)], ["a", "b"])
    assert got.payload == {"both": 2}
    assert set(got.vectors) == {"a"}
    np.testing.assert_allclose(got.vectors["a"], [0, 1], atol=1e-6)
    assert store.count(NAME) == 1


def test_the_last_of_two_points_with_one_id_wins(store: VectorStore) -> None:
    store.upsert(NAME, [point(1, {"v": 1}), point(1, {"v": 2})])
    assert store.get(NAME, [uid(1)])[0].payload == {"v": 2}


def test_nothing_is_written_for_no_points(store: VectorStore) -> None:
    store.upsert(NAME, [])
    store.set_vectors(NAME, {})
    store.set_payload(NAME, [], {"x": 1})
    store.delete(NAME)
    assert store.count(NAME) == 0


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        ({"a": vec(float("nan"), 1)}, "zero or not finite"),
        ({"a": vec(float("inf"), 1)}, "zero or not finite"),
        ({"a": vec(0, 0)}, "zero or not finite"),
        ({"a": vec(1, 2, 3)}, r"shape \(2,\)"),
        ({"c": vec(1, 0)}, "no vector 'c'"),
    ],
)
def test_a_bad_vector_is_refused_by_name_and_nothing_is_written(
    store: VectorStore, vectors: dict[str, np.ndarray], says: str
) -> None:
    with pytest.raises(StoreRejectedError, match=says) as caught:
        store.upsert(NAME, [point(1), Point(uid(2), vectors, {})])
    assert uid(2) in str(caught.value)
    assert store.count(NAME) == 0


def test_a_bad_payload_or_id_is_refused(store: VectorStore) -> None:
    with pytest.raises(StoreRejectedError, match="not a finite number"):
        store.upsert(NAME, [point(1, {"x": {"y": [float("nan")]}})])
    with pytest.raises(StoreRejectedError, match="plain JSON"):
        store.upsert(NAME, [point(1, {"x": object()})])  # type: ignore[dict-item]
    for bad in ("car_1", "", uid(1).upper().replace("0", "A"), uid(1).replace("-", "")):
        with pytest.raises(StoreRejectedError, match="point id"):
            store.upsert(NAME, [Point(bad, {}, {})])
    assert store.count(NAME) == 0


def test_set_payload_changes_only_the_keys_given(store: VectorStore) -> None:
    store.upsert(NAME, [point(n, {"keep": n, "class_name": "car"}) for n in (1, 2, 3)])
    store.set_payload(NAME, [uid(1), uid(3)], {"class_name": "bus", "new": [1, 2]})
    got = store.get(NAME, [uid(1), uid(2), uid(3)], ["a"])
    assert [p.payload.get("class_name") for p in got] == ["bus", "car", "bus"]
    assert got[0].payload == {"keep": 1, "class_name": "bus", "new": [1, 2]}
    assert all("a" in p.vectors for p in got)
    assert store.facet(NAME, "class_name") == {"bus": 2, "car": 1}


def test_set_vectors_leaves_the_other_vectors_and_the_payload(store: VectorStore) -> None:
    store.upsert(NAME, [point(1, {"k": "v"}), point(2)])
    store.set_vectors(NAME, {uid(1): {"b": vec(0, 2, 0)}, uid(2): {"a": vec(0, 1)}})
    first, second = store.get(NAME, [uid(1), uid(2)], ["a", "b"])
    np.testing.assert_allclose(first.vectors["a"], degrees(1), atol=1e-6)
    np.testing.assert_allclose(first.vectors["b"], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(second.vectors["a"], [0, 1], atol=1e-6)
    assert first.payload == {"k": "v"}


def test_points_that_do_not_exist_cannot_be_changed(store: VectorStore) -> None:
    with pytest.raises(StoreRejectedError, match=uid(9)):
        store.set_payload(NAME, [uid(9)], {"x": 1})
    with pytest.raises(StoreRejectedError, match=uid(9)):
        store.set_vectors(NAME, {uid(9): {"a": vec(1, 0)}})
    assert store.count(NAME) == 0


def test_points_are_deleted_by_id(store: VectorStore) -> None:
    store.upsert(NAME, [point(n) for n in (1, 2, 3)])
    store.delete(NAME, ids=[uid(1), uid(9)])
    assert [p.id for p in store.scroll(NAME)] == [uid(2), uid(3)]


def test_points_are_deleted_by_filter(store: VectorStore) -> None:
    store.upsert(NAME, [point(n, {"image_id": f"i{n % 2}"}) for n in range(1, 6)])
    store.delete(NAME, where=is_("image_id", "=", "i1"))
    assert [p.id for p in store.scroll(NAME)] == [uid(2), uid(4)]
    with pytest.raises(StoreRejectedError, match="not both"):
        store.delete(NAME, ids=[uid(2)], where=is_("image_id", "=", "i0"))


# a world for filters: what each point has is chosen so that every rule has a witness
WORLD: dict[int, Payload] = {
    1: {"class_name": "car", "area_px": 10, "score": 0.5, "occluded": True, "flags": ["sub_cell", "edge"]},
    2: {"class_name": "car", "area_px": 20, "score": 1.5, "occluded": False, "flags": []},
    3: {"class_name": "bus", "area_px": 30, "score": 3, "nested": {"deep": "x", "n": 4}},
    4: {"class_name": None, "area_px": 30, "odd key": "y", "text_number": "30"},
    5: {"numbers": [1, 5, 9], "yes": True, "one": 1, "class_name": "traffic light"},
}


FILTERS: list[tuple[tuple[Condition, ...], set[int]]] = [
    (is_("class_name", "=", "car"), {1, 2}),
    (is_("class_name", "=", "car", "bus"), {1, 2, 3}),
    (is_("class_name", "=", "traffic light"), {5}),
    (is_("class_name", "=", "ca"), set()),
    # a missing key, and one that is null, satisfy "is not"
    (is_("class_name", "!=", "car"), {3, 4, 5}),
    (is_("class_name", "!=", "car", "bus"), {4, 5}),
    # one element of a list is enough; a list that is empty or missing has none
    (is_("flags", "=", "sub_cell"), {1}),
    (is_("flags", "!=", "sub_cell"), {2, 3, 4, 5}),
    (is_("occluded", "=", True), {1}),
    (is_("occluded", "=", False), {2}),
    (is_("occluded", "!=", True), {2, 3, 4, 5}),
    (is_("occluded", "=", True, False), {1, 2}),
    # true is no number, and one is not true
    (is_("yes", "=", 1), set()),
    (is_("yes", "=", True), {5}),
    (is_("one", "=", True), set()),
    (is_("area_px", "=", 30), {3, 4}),
    (is_("area_px", "=", 10, 20), {1, 2}),
    (is_("area_px", "!=", 30), {1, 2, 5}),
    (is_("area_px", ">", 20), {3, 4}),
    (is_("area_px", ">=", 20), {2, 3, 4}),
    (is_("area_px", "<", 20), {1}),
    (is_("area_px", "<=", 20), {1, 2}),
    (is_("area_px", ">", 19.5), {2, 3, 4}),
    (is_("score", "=", 0.5), {1}),
    (is_("score", "=", 3.0), {3}),
    (is_("score", "=", 3), {3}),
    (is_("score", "!=", 1.5), {1, 3, 4, 5}),
    (is_("numbers", "=", 5), {5}),
    (is_("numbers", ">", 8), {5}),
    (is_("numbers", ">", 9), set()),
    # text that looks like a number is text
    (is_("text_number", "=", 30), set()),
    (is_("text_number", "=", "30"), {4}),
    (is_("nested.deep", "=", "x"), {3}),
    (is_("nested.n", ">=", 4), {3}),
    (is_("odd key", "=", "y"), {4}),
    (is_("no_such_key", "=", "x"), set()),
    (is_("no_such_key", "!=", "x"), {1, 2, 3, 4, 5}),
    (is_("class_name", "=", "car") + is_("area_px", ">", 10), {2}),
    (is_("class_name", "!=", "car") + is_("area_px", ">=", 30), {3, 4}),
    ((), {1, 2, 3, 4, 5}),
]


def test_filters_mean_the_same_in_every_store(store: VectorStore) -> None:
    store.upsert(NAME, [point(n, payload) for n, payload in WORLD.items()])
    found = [{int(p.id[-2:], 16) for p in store.scroll(NAME, where)} for where, _ in FILTERS]
    wrong = [(str(w), got, want) for (w, want), got in zip(FILTERS, found, strict=True) if got != want]
    assert wrong == []
    assert [store.count(NAME, where) for where, _ in FILTERS] == [len(want) for _, want in FILTERS]


def test_a_scroll_goes_to_the_end_in_the_order_of_ids(store: VectorStore) -> None:
    n = 1203  # more than a page, with and without vectors
    order = np.random.default_rng(0).permutation(n)
    store.upsert(NAME, [point(int(i) + 1, {"area_px": int(i) + 1}) for i in order])
    assert [p.id for p in store.scroll(NAME)] == [uid(i + 1) for i in range(n)]
    found = list(store.scroll(NAME, is_("area_px", ">", 400), ("a",)))
    assert [p.id for p in found] == [uid(i) for i in range(401, n + 1)]
    np.testing.assert_allclose(found[0].vectors["a"], degrees(401), atol=1e-5)
    assert store.count(NAME) == n


def test_pages_follow_each_other_and_the_last_one_says_so(store: VectorStore) -> None:
    store.upsert(NAME, [point(n, {"area_px": n}) for n in (5, 3, 1, 2, 4)])
    first, start = store.page(NAME, limit=2)
    assert ([p.id for p in first], start) == ([uid(1), uid(2)], uid(3))
    second, start = store.page(NAME, is_("area_px", "!=", 4), start=start, limit=2, with_vectors=("a",))
    assert ([p.id for p in second], start) == ([uid(3), uid(5)], None)
    np.testing.assert_allclose(second[1].vectors["a"], degrees(5), atol=1e-6)
    assert store.page(NAME, start=uid(6)) == ([], None)
    with pytest.raises(StoreRejectedError, match="at least 1"):
        store.page(NAME, limit=0)
    with pytest.raises(StoreRejectedError, match="not a point id"):
        store.page(NAME, start="../x")


def test_facets_are_exact_and_most_frequent_first(store: VectorStore) -> None:
    classes = ["car"] * 3 + ["bus"] * 2 + ["bike"] * 2
    store.upsert(
        NAME,
        [
            point(n, {"class_name": c, "area_px": n, "occluded": n < 3, "flags": ["x", "x"] if n else []})
            for n, c in enumerate(classes)
        ],
    )
    assert list(store.facet(NAME, "class_name").items()) == [("car", 3), ("bike", 2), ("bus", 2)]
    assert store.facet(NAME, "class_name", is_("area_px", ">=", 2)) == {"bike": 2, "bus": 2, "car": 1}
    assert store.facet(NAME, "occluded") == {"false": 4, "true": 3}
    assert store.facet(NAME, "area_px")["6"] == 1
    # a point counts once for a value, however often its list repeats it
    assert store.facet(NAME, "flags") == {"x": 6}


def test_facets_do_not_stop_at_a_page(store: VectorStore) -> None:
    store.upsert(NAME, [point(n, {"image_id": f"i{n:05d}"}) for n in range(1500)])
    facets = store.facet(NAME, "image_id")
    assert len(facets) == 1500
    assert set(facets.values()) == {1}


def test_facets_forget_what_was_deleted(store: VectorStore) -> None:
    store.upsert(NAME, [point(1, {"class_name": "car"}), point(2, {"class_name": "bus"})])
    store.delete(NAME, ids=[uid(1)])
    store.set_payload(NAME, [uid(2)], {"class_name": "bike"})
    assert store.facet(NAME, "class_name") == {"bike": 1}


def test_status_counts_points(store: VectorStore) -> None:
    store.upsert(NAME, [point(n) for n in (1, 2, 3)])
    store.flush(NAME)
    status = store.status(NAME)
    assert (status.name, status.n_points) == (NAME, 3)
    assert status.physical_name.endswith(NAME) or status.physical_name.endswith(f"{NAME}_v1")


def test_a_closed_store_says_so(store: VectorStore) -> None:
    store.close()
    store.close()  # again does no harm
    with pytest.raises(StoreError, match="closed"):
        store.count(NAME)
