"""`samdb ingest --bulk`: the points of a plain run, indexed at the end; killed, its store is mended."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from samdb.core.points import Point
from samdb.pipelines.bulk_load import bulk_load
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES, SEGMENTS, LayoutParams
from samdb.stores.migrate import migrate
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.cli.command import Samdb
from tests.pipelines.command_line import ROOT, environment
from tests.pipelines.ingest_worlds import assert_same_points, contents
from tests.shapes import N_TRAIN, Shapes
from tests.stores.qdrant_server import QdrantServer

PREFIX = "clibulk_"
PATIENCE_S = 120.0
_RECIPES = ("blend",)


@pytest.fixture(scope="module")
def wanted(shapes: Shapes, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Point]:
    """What a plain run has stored."""
    store = EdgeStore(shapes.store)
    points = contents(store, _RECIPES)
    store.close()
    return points


@pytest.fixture
def in_torch(samdb: Samdb) -> Samdb:
    """`samdb` with the encoder that made the shapes' store."""
    return Samdb({**samdb.variables, "SAMDB_RUNTIME": "torch"})


@pytest.fixture
def on_server(qdrant_server: QdrantServer, in_torch: Samdb) -> Iterator[Samdb]:
    """The same on a server's store of its own."""
    place = {"SAMDB_STORE": qdrant_server.url, "SAMDB_STORE_PREFIX": PREFIX}
    yield Samdb({**in_torch.variables, **place})
    store = ServerStore(ServerAddress(qdrant_server.url), PREFIX)
    for name in store.collections():
        store.drop_collection(name)
    store.close()


def ingest_words(shapes: Shapes, *more: str) -> list[str]:
    return ["ingest", str(shapes.folder), "--split", "train", *more]


def optimizer(samdb: Samdb) -> object:
    rows = {row["collection"]: row for row in samdb("store", "status", "--json").records}
    return rows[SEGMENTS]["optimizer"]


@pytest.mark.weights
def test_a_folder_is_filled_with_the_points_of_a_plain_run_and_indexed(
    in_torch: Samdb, shapes: Shapes, wanted: Mapping[str, Point], tmp_path: Path
) -> None:
    place = tmp_path / "bulk"
    done = in_torch(*ingest_words(shapes, "--bulk", "--store", str(place)))
    assert (done.code, done.out) == (0, "")
    assert f"{N_TRAIN} images ingested" in done.err
    assert "the vector indexes are built" in done.err
    store = EdgeStore(place)
    assert_same_points(contents(store, _RECIPES), wanted)
    store.close()


@pytest.mark.weights
@pytest.mark.server
def test_a_killed_bulk_run_is_told_by_the_status_and_mended_by_the_next_ingest(
    on_server: Samdb,
    shapes: Shapes,
    wanted: Mapping[str, Point],
    checkpoint: Path,
    raw: QdrantClient,
    tmp_path: Path,
) -> None:
    env = {**environment(checkpoint), **on_server.variables}
    command = [sys.executable, "-m", "samdb.cli.main", *ingest_words(shapes, "--bulk")]
    log, until = tmp_path / "log", time.monotonic() + PATIENCE_S
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out) as run:
        try:
            while not is_put_off(raw):
                assert run.poll() is None, log.read_text()
                assert time.monotonic() < until
                time.sleep(0.01)
        finally:
            run.kill()

    assert optimizer(on_server) == "put off"
    told = on_server("store", "status")
    assert ["put off"] in [row[-2:-1] for row in told.table]
    assert "next `samdb ingest`" in told.err
    assert "`samdb store optimize` builds them now" in told.err
    # a run that has nothing to do mends it, too
    again = on_server(*ingest_words(shapes, "--limit", "1"))
    assert again.code == 0, again.err
    assert not is_put_off(raw)
    assert optimizer(on_server) == "done"
    raw.update_collection(
        f"{PREFIX}{SEGMENTS}_v1", optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0)
    )
    assert on_server("store", "optimize").code == 0
    assert optimizer(on_server) == "done"
    # and the same command ends what it had begun
    whole = on_server(*ingest_words(shapes, "--bulk"))
    assert whole.code == 0, whole.err
    assert "the vector indexes are built" in whole.err
    assert optimizer(on_server) == "done"
    store = ServerStore(ServerAddress(on_server.variables["SAMDB_STORE"]), PREFIX)
    assert_same_points(contents(store, _RECIPES), wanted)
    store.close()


def is_put_off(raw: QdrantClient) -> bool:
    try:
        info = raw.get_collection(f"{PREFIX}{SEGMENTS}_v1")
    except UnexpectedResponse:  # it is not there yet
        return False
    return info.config.optimizer_config.indexing_threshold == 0


@pytest.mark.server
def test_a_bulk_load_that_fails_lets_the_server_index_again(qdrant_server: QdrantServer) -> None:
    store = ServerStore(ServerAddress(qdrant_server.url), "failbulk_")
    migrate(store, LayoutParams("vit_t", {"neck": 8}))

    def load() -> None:
        with bulk_load(store):
            assert store.status(SEGMENTS).optimizer == "put off"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load()
    assert store.status(SEGMENTS).optimizer == "done"
    assert store.status(IMAGES).optimizer == "done"
    for name in store.collections():
        store.drop_collection(name)
    store.close()
