"""The contract, second part: nearest neighbours. Runs against every store; ties may come in any order."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from samdb.core.points import CollectionSpec, Condition, Hit, Point, Query
from samdb.errors import StoreRejectedError
from samdb.ports import VectorStore
from tests.stores.worlds import SPEC, clustered, degrees, point, uid, vec

NAME = SPEC.name


def cos(angle: float) -> float:
    return math.cos(math.radians(angle))


def one(store: VectorStore, query: Query) -> list[Hit]:
    return store.query(NAME, [query])[0]


def ids(hits: list[Hit]) -> list[str]:
    return [h.id for h in hits]


@pytest.fixture
def compass(store: VectorStore) -> VectorStore:
    """Points at 0, 10, 20 ... 90 degrees; tens of them alternate between two images."""
    store.upsert(NAME, [point(n, {"image_id": f"i{n // 10 % 2}", "area_px": n}) for n in range(0, 100, 10)])
    return store


def test_the_score_is_the_cosine_and_the_best_comes_first(compass: VectorStore) -> None:
    hits = one(compass, Query("a", (degrees(12),), limit=3))
    assert ids(hits) == [uid(10), uid(20), uid(0)]
    np.testing.assert_allclose([h.score for h in hits], [cos(2), cos(8), cos(12)], atol=1e-5)
    assert hits[0].payload == {"image_id": "i1", "area_px": 10}
    assert hits[0].vectors == {}


def test_the_length_of_an_example_does_not_matter(compass: VectorStore) -> None:
    short, long = (one(compass, Query("a", (degrees(12) * f,), limit=3)) for f in (0.01, 100))
    assert ids(short) == ids(long)
    np.testing.assert_allclose([h.score for h in short], [h.score for h in long], atol=1e-5)


def test_vectors_come_with_the_hits_that_have_them(store: VectorStore) -> None:
    store.upsert(NAME, [Point(uid(1), {"a": vec(3, 4), "b": vec(0, 5, 0)}, {}), point(2)])
    hits = {h.id: h for h in one(store, Query("a", (vec(1, 1),), with_vectors=("a", "b")))}
    np.testing.assert_allclose(hits[uid(1)].vectors["a"], [0.6, 0.8], atol=1e-6)
    assert set(hits[uid(1)].vectors) == {"a", "b"}
    assert set(hits[uid(2)].vectors) == {"a"}


def test_points_without_the_vector_are_not_found(store: VectorStore) -> None:
    store.upsert(NAME, [point(1), Point(uid(2), {"b": vec(1, 0, 0)}, {})])
    assert ids(one(store, Query("a", (vec(1, 0),)))) == [uid(1)]
    assert ids(one(store, Query("b", (vec(1, 1, 0),)))) == [uid(2)]


def test_a_vector_that_no_point_has_finds_nothing(store: VectorStore) -> None:
    store.upsert(NAME, [point(1)])
    assert one(store, Query("b", (vec(1, 0, 0),))) == []
    assert one(store, Query("b", (vec(1, 0, 0),), group_by="image_id")) == []


def test_an_empty_collection_finds_nothing(store: VectorStore) -> None:
    assert store.query(NAME, [Query("a", (vec(1, 0),)), Query("a", (vec(1, 0),), group_by="image_id")]) == [
        [],
        [],
    ]
    assert store.query(NAME, []) == []


def test_filters_and_exclusions_narrow_the_answer(compass: VectorStore) -> None:
    where = (Condition("area_px", ">=", (20,)),)
    hits = one(compass, Query("a", (degrees(12),), where=where, exclude_ids=frozenset({uid(20)}), limit=2))
    assert ids(hits) == [uid(30), uid(40)]


def test_pages_follow_on_one_another(compass: VectorStore) -> None:
    whole = ids(one(compass, Query("a", (degrees(1),), limit=10)))
    pages = [ids(one(compass, Query("a", (degrees(1),), limit=4, offset=o))) for o in (0, 4, 8)]
    assert [i for page in pages for i in page] == whole
    assert len(pages[2]) == 2


def test_a_batch_is_answered_in_its_order(compass: VectorStore) -> None:
    queries = [
        Query("a", (degrees(90),), limit=1),
        Query("a", (degrees(0),), limit=2, group_by="image_id"),
        Query("a", (degrees(0), degrees(90)), limit=2),
        Query("a", (degrees(41),), limit=1, where=(Condition("image_id", "=", ("i1",)),)),
    ]
    found = [ids(hits) for hits in compass.query(NAME, queries)]
    assert found[0] == [uid(90)]
    assert found[1] == [uid(0), uid(10)]
    assert set(found[2]) == {uid(0), uid(90)}
    assert found[3] == [uid(50)]


def test_several_positives_score_by_the_closest(compass: VectorStore) -> None:
    hits = one(compass, Query("a", (degrees(3), degrees(88)), limit=4))
    assert ids(hits) == [uid(90), uid(0), uid(10), uid(80)]
    np.testing.assert_allclose([h.score for h in hits], [cos(2), cos(3), cos(7), cos(8)], atol=1e-5)
    assert all(h.vectors == {} for h in hits)


def test_a_point_closer_to_a_negative_falls_behind(compass: VectorStore) -> None:
    # 30 degrees is wanted, 48 is not: what lies beyond 39 is closer to 48 and comes after all the others,
    # the farthest from 48 first; its score stays the cosine to the positive
    hits = one(compass, Query("a", (degrees(30),), (degrees(48),), limit=10))
    assert ids(hits) == [uid(n) for n in (30, 20, 10, 0, 90, 80, 70, 60, 40, 50)]
    scores = {h.id: h.score for h in hits}
    assert scores[uid(30)] == pytest.approx(1.0, abs=1e-5)
    assert scores[uid(50)] == pytest.approx(cos(20), abs=1e-5)


def test_examples_can_be_left_out_of_the_answer(compass: VectorStore) -> None:
    query = Query("a", (degrees(30), degrees(40)), exclude_ids=frozenset({uid(30), uid(40)}), limit=2)
    assert set(ids(one(compass, query))) == {uid(20), uid(50)}


def test_groups_keep_at_most_so_many_hits_each(store: VectorStore) -> None:
    # ten near points of one crowded image would fill the answer
    crowd = [point(n, {"image_id": "crowded"}) for n in range(10)]
    rest = [point(n, {"image_id": f"i{n}"}) for n in (20, 30, 40)]
    lone = [point(15, {})]  # belongs to no image, so to no group
    store.upsert(NAME, crowd + rest + lone)
    query = Query("a", (degrees(0),), group_by="image_id", limit=3)
    assert ids(one(store, query)) == [uid(0), uid(20), uid(30)]
    two = Query("a", (degrees(0),), group_by="image_id", per_group=2, limit=4)
    assert ids(one(store, two)) == [uid(0), uid(1), uid(20), uid(30)]
    np.testing.assert_allclose([h.score for h in one(store, two)], [1, cos(1), cos(20), cos(30)], atol=1e-5)


def test_groups_reach_behind_a_crowd_and_can_be_paged(store: VectorStore) -> None:
    crowd = [point(n, {"image_id": "crowded"}, {"a": degrees(n / 100)}) for n in range(400)]
    rest = [point(1000 + n, {"image_id": f"i{n}"}, {"a": degrees(10 + n)}) for n in range(6)]
    store.upsert(NAME, crowd + rest)
    # from far away, where a hundredth of a degree still tells in float32
    query = Query("a", (degrees(-60),), group_by="image_id", limit=20)
    whole = one(store, query)
    assert ids(whole) == [uid(0)] + [uid(1000 + n) for n in range(6)]
    page = one(store, replace(query, limit=3, offset=2))
    assert ids(page) == ids(whole)[2:5]


def test_groups_work_with_several_examples(compass: VectorStore) -> None:
    query = Query("a", (degrees(2), degrees(89)), (degrees(45),), group_by="image_id", limit=2)
    assert set(ids(one(compass, query))) == {uid(0), uid(90)}


@pytest.mark.parametrize("bad", [vec(0, 0), vec(float("nan"), 1), vec(1, 0, 0)])
def test_an_example_that_cannot_be_compared_is_refused(store: VectorStore, bad: np.ndarray) -> None:
    with pytest.raises(StoreRejectedError, match="query 1"):
        store.query(NAME, [Query("a", (vec(1, 0),)), Query("a", (bad,))])
    with pytest.raises(StoreRejectedError, match="query 0"):
        store.query(NAME, [Query("a", (vec(1, 0),), (bad,))])


def test_an_unknown_vector_is_refused_by_name(store: VectorStore) -> None:
    with pytest.raises(StoreRejectedError, match=r"no vector 'neck'.*a, b"):
        one(store, Query("neck", (vec(1, 0),)))
    with pytest.raises(StoreRejectedError, match="no vector 'neck'"):
        one(store, Query("a", (vec(1, 0),), with_vectors=("neck",)))


N, DIM, K = 4000, 256, 10


def test_recall_scores_and_filters_hold_on_thousands_of_quantized_vectors(bare_store: VectorStore) -> None:
    bare_store.create_collection(CollectionSpec(NAME, {"a": DIM}, {"class_name": "keyword"}))
    rows = clustered(N, DIM, n_clusters=25, seed=1)
    classes = np.random.default_rng(2).integers(8, size=N)
    for start in range(0, N, 1000):
        bare_store.upsert(
            NAME,
            [point(n, {"class_name": f"c{classes[n]}"}, {"a": rows[n]}) for n in range(start, start + 1000)],
        )
    bare_store.optimize(NAME)
    wanted = rows[::200] + 0.02 * np.random.default_rng(3).normal(size=(N // 200, DIM)).astype(np.float32)
    only = (Condition("class_name", "=", ("c3",)),)
    plain = bare_store.query(NAME, [Query("a", (q,), limit=K) for q in wanted])
    narrow = bare_store.query(NAME, [Query("a", (q,), limit=K, where=only) for q in wanted])
    exact = bare_store.query(NAME, [Query("a", (q,), limit=K, exact=True) for q in wanted])
    unit = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    truth = unit @ rows.T
    allowed = np.where(classes[None] == 3, truth, -np.inf)
    assert _recall(plain, truth) >= 0.98
    assert _recall(narrow, allowed) >= 0.98
    assert _recall(exact, truth) == 1.0
    for answers in (plain, narrow, exact):
        for i, hits in enumerate(answers):
            numbers = [int(h.id.replace("-", ""), 16) for h in hits]
            np.testing.assert_allclose([h.score for h in hits], truth[i, numbers], atol=1e-4)
            assert all(-1 <= h.score <= 1 for h in hits)


def test_an_identical_vector_never_scores_above_one(bare_store: VectorStore) -> None:
    bare_store.create_collection(CollectionSpec(NAME, {"a": DIM}, {}))
    rows = clustered(1500, DIM, n_clusters=5, seed=4)
    bare_store.upsert(NAME, [point(n, {}, {"a": rows[n]}) for n in range(1500)])
    bare_store.optimize(NAME)
    for hits in bare_store.query(NAME, [Query("a", (rows[n],), limit=1) for n in range(0, 1500, 50)]):
        assert 0.9999 <= hits[0].score <= 1.0


def _recall(answers: list[list[Hit]], truth: np.ndarray) -> float:
    """Share of hits that are as close as the K-th true neighbour: ties may differ in id."""
    good = 0
    for hits, row in zip(answers, truth, strict=True):
        kth = np.sort(row)[-K]
        good += sum(row[int(h.id.replace("-", ""), 16)] >= kth - 1e-5 for h in hits)
    return good / (K * len(answers))
