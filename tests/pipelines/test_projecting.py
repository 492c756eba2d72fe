"""New segments get the projection of the active bank's head."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samdb.core.head import HEAD_KEY, PROJECTED, Head, Layer
from samdb.datasets.detect import open_dataset
from samdb.datasets.images import read_image
from samdb.pipelines.cutting import CutSettings
from samdb.pipelines.ingest import ingest
from samdb.pipelines.projecting import ProjectingSegmenter
from samdb.stores.layout import SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.ingest_worlds import DIM, RectangleSegmenter, contents, run_ingest, write_world


def head_of(recipe: str) -> Head:
    """A head that keeps the first two numbers of a recipe."""
    layer = Layer(np.eye(2, DIM, dtype=np.float32), np.zeros(2, dtype=np.float32))
    zeros = np.zeros(DIM, dtype=np.float32)
    return Head((recipe,), zeros, zeros + 1, ((layer,),), np.eye(2, dtype=np.float32))


def new_store() -> MemoryStore:
    """An empty store with room for projections of two numbers."""
    store = MemoryStore()
    lay_out(store, {"neck": DIM, "backbone": DIM, PROJECTED: 2})
    return store


def test_ingest_stores_the_projection_and_what_it_is_made_of(tmp_path: Path) -> None:
    world = write_world(tmp_path / "world", 3)
    store, head = new_store(), head_of("backbone")
    dataset = open_dataset(world)
    sam = ProjectingSegmenter(RectangleSegmenter(), head)
    settings = CutSettings("labels", ("neck",))
    ingest(dataset, sam, store, settings, read_image=lambda s: read_image(s.path), run="r", head="h1")
    points = list(store.scroll(SEGMENTS, (), ("neck", "backbone", PROJECTED)))
    assert points
    for point in points:
        assert point.payload[HEAD_KEY] == "h1"
        first = point.vectors["backbone"][:2]
        np.testing.assert_allclose(point.vectors[PROJECTED], first / np.linalg.norm(first), atol=1e-6)

    # the images are known: a head changes neither masks nor embeddings
    report = run_ingest(world, store)
    assert report.n_ingested == 0
    # and without a head nothing is marked
    plain = new_store()
    run_ingest(world, plain)
    assert all(HEAD_KEY not in p.payload for p in contents(plain, ("neck",)).values())
