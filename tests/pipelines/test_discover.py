"""Unknown segments in groups, named and learned: of four axes, cars on the first, buses on the second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samdb.bank.clusters import find_clusters
from samdb.core.bank import BankCard
from samdb.core.points import Condition
from samdb.core.segment import FLAG_BACKGROUND
from samdb.core.vectors import normalise
from samdb.datasets.images import read_image
from samdb.errors import ConfigError, InputError
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.classify_segments import classify_vectors
from samdb.pipelines.discover import (
    DiscoverRequest,
    discover,
    name_cluster,
    read_clusters,
    unname,
    write_clusters,
)
from samdb.pipelines.discover_pictures import cluster_title, write_cluster_sheet
from samdb.ports import VectorStore
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.bank.worlds import unit
from tests.pipelines.bank_worlds import lay_out, put, rows_around, scattered, stored

#: a hydrant lies on the fourth axis, where only background was learned
REQUEST = DiscoverRequest(min_area_px=0, min_size=5)


@pytest.fixture(params=["memory", "edge"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> VectorStore:
    """A store of cars, buses, and 12 hydrants that nobody labelled."""
    made = MemoryStore() if request.param == "memory" else EdgeStore(tmp_path / "store")
    lay_out(made)
    put(made, [*scattered(0, 40, "car"), *scattered(1, 40, "bus")])
    hydrants = [
        stored(f"h{i}", row, None, image=f"train/{i}.jpg", prompt_kind="grid", flags=(FLAG_BACKGROUND,))
        for i, row in enumerate(rows_around(3, 12, 0.05))
    ]
    put(made, hydrants)
    return made


def built(store: VectorStore, *, named: bool = False) -> BankCard:
    """A bank of what the store has."""
    return build_bank(store, recipe="neck", fingerprint="w", named=named).card


def test_what_the_bank_does_not_know_is_grouped(store: VectorStore) -> None:
    put(store, [stored(f"c{i}", row, None, image="z.jpg") for i, row in enumerate(rows_around(0, 6, 0.05))])
    report = discover(store, built(store), REQUEST)
    assert (report.n_seen, report.n_unknown) == (18, 12)
    (cluster,) = report.clusters
    assert len(cluster.segments) == 12
    assert (cluster.number, cluster.n_images) == (1, 12)
    assert discover(store, built(store), REQUEST).clusters == report.clusters


def test_a_named_cluster_becomes_a_class_of_the_bank_and_can_be_taken_back(store: VectorStore) -> None:
    report = discover(store, built(store), REQUEST)
    ids = [s.segment_id for s in report.clusters[0].segments]
    assert name_cluster(store, ids, "hydrant") == 12
    there = store.get(SEGMENTS, ids)
    assert {(p.payload["class_name"], p.payload["label_source"]) for p in there} == {("hydrant", "predicted")}
    assert built(store).classes == ("bus", "car")
    card = built(store, named=True)
    assert card.classes == ("bus", "car", "hydrant")
    assert card.settings["named"] is True
    assert classify_vectors(store, np.stack([unit(0, 0, 0, 1)]), card)[0].class_name == "hydrant"

    assert unname(store, "hydrant") == 12
    assert built(store, named=True).classes == ("bus", "car")
    assert store.count(SEGMENTS, (Condition("class_name", "=", ("hydrant",)),)) == 0
    assert len(discover(store, built(store), REQUEST).clusters[0].segments) == 12
    with pytest.raises(InputError, match="named classes are: none"):
        unname(store, "hydrant")


def test_a_label_is_never_overwritten_by_a_name(store: VectorStore) -> None:
    car = scattered(0, 40, "car")[0].segment_id
    assert name_cluster(store, [car], "hydrant") == 0
    assert store.get(SEGMENTS, [car])[0].payload["class_name"] == "car"
    with pytest.raises(ConfigError):
        name_cluster(store, [car], " ")


def test_clusters_are_written_and_read_back(store: VectorStore, tmp_path: Path) -> None:
    report = discover(store, built(store), REQUEST)
    write_clusters(report, tmp_path / "deep" / "clusters.json")
    found = read_clusters(tmp_path / "deep" / "clusters.json")
    assert found == {1: tuple(s.segment_id for s in report.clusters[0].segments)}
    (tmp_path / "other.json").write_text('{"clusters": {"one": 1}}')
    for name in ("other.json", "gone.json"):
        with pytest.raises(InputError, match="samdb discover --out"):
            read_clusters(tmp_path / name)


def test_a_sheet_is_drawn_even_when_the_images_are_gone(store: VectorStore, tmp_path: Path) -> None:
    (cluster,) = discover(store, built(store), REQUEST).clusters
    assert "cluster 1: 12 segments of 12 images, cohesion" in cluster_title(cluster)
    path = write_cluster_sheet(store, cluster, tmp_path / "sheet.png")
    assert read_image(path).std() > 1


def test_a_store_without_unlabelled_segments_says_how_to_get_them() -> None:
    made = MemoryStore()
    lay_out(made)
    put(made, scattered(0, 40, "car"))
    with pytest.raises(InputError, match="--prompts both"):
        discover(made, built(made), REQUEST)


def test_nothing_unknown_gives_no_cluster() -> None:
    made = MemoryStore()
    lay_out(made)
    put(made, [*scattered(0, 40, "car"), stored("c", unit(1, 0, 0, 0), None, image="z.jpg")])
    report = discover(made, built(made), REQUEST)
    assert (report.n_seen, report.n_unknown, report.clusters) == (1, 0, ())


def test_groups_are_found_and_loners_left_out() -> None:
    rng = np.random.default_rng(0)
    rows = normalise(
        np.concatenate(
            [np.eye(8)[0] + 0.1 * rng.normal(size=(20, 8)), np.eye(8)[1] + 0.2 * rng.normal(size=(10, 8))]
            + [np.eye(8)[[i]] for i in (4, 5, 6)]
        )
        + 3.0  # all share a direction, as SAM's embeddings do
    )
    tight, loose = find_clusters(rows, rows.mean(axis=0), min_size=5, similarity=0.5)
    assert sorted(tight.rows.tolist()) == list(range(20))
    assert sorted(loose.rows.tolist()) == list(range(20, 30))
    assert tight.cohesion > loose.cohesion > 0.5


def test_too_few_or_equal_rows_make_no_group() -> None:
    assert find_clusters(np.stack([unit(1, 0)] * 3), np.zeros(2), min_size=5, similarity=0.5) == []
    assert find_clusters(np.stack([unit(1, 0)] * 9), unit(1, 0), min_size=5, similarity=0.5) == []
    with pytest.raises(ValueError, match="min_size"):
        find_clusters(np.stack([unit(1, 0)] * 9), np.zeros(2), min_size=1, similarity=0.5)
