"""Segments that a real server refuses are named, all else is stored, and the next run tries them again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from samdb.stores.layout import SEGMENTS
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.pipelines.bank_worlds import lay_out
from tests.pipelines.ingest_worlds import (
    DIM,
    RECIPES,
    assert_ledger_agrees,
    assert_same_points,
    contents,
    new_store,
    run_ingest,
    write_world,
)
from tests.stores.fault_proxy import FaultProxy
from tests.stores.qdrant_server import QdrantServer

pytestmark = pytest.mark.server
N_IMAGES = 10
#: a whole, a part and a subpart
N_EACH = 3


@pytest.fixture
def prefix(qdrant_server: QdrantServer) -> Iterator[str]:
    """A store of its own, laid out."""
    name = f"r{uuid.uuid4().hex[:8]}_"
    store = ServerStore(ServerAddress(qdrant_server.url), name)
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    yield name
    for collection in store.collections():
        store.drop_collection(collection)
    store.close()


def test_one_refused_segment_is_named_and_costs_no_other(
    tmp_path: Path, qdrant_server: QdrantServer, prefix: str
) -> None:
    world, whole = write_world(tmp_path / "world", N_IMAGES), new_store()
    run_ingest(world, whole)
    wanted = contents(whole)
    bad = next(p for p in whole.scroll(SEGMENTS) if p.payload["granularity"] == "subpart")
    image = str(bad.payload["image_id"])
    with FaultProxy(qdrant_server.http_port) as proxy:
        store = ServerStore(ServerAddress(proxy.url, prefer_grpc=False), prefix)
        proxy.fail("refuse", match=f'"id":"{bad.id}"'.encode())
        report = run_ingest(world, store)
        assert (report.n_ingested, report.n_segments) == (N_IMAGES, N_EACH * N_IMAGES - 1)
        ((where, why),) = [(p.image_id, p.reason) for p in report.problems]
        assert where == image
        assert f"the segment {bad.id} could not be stored" in why
        assert "Wrong input: a bad point" in why
        # of a group of eight images: the group, and twice a half of it, until one stands alone
        assert 2 <= proxy.n_faults <= 6
        held = contents(store)
        assert held.keys() == wanted.keys() - {bad.id}
        assert_ledger_agrees(store)
        # refused once more, it is told once more; once it is taken the store is whole
        again = run_ingest(world, store)
        assert (again.n_ingested, again.n_unchanged, again.problems) == (1, N_IMAGES - 1, report.problems)
        proxy.heal()
        last = run_ingest(world, store)
        assert (last.n_ingested, last.n_unchanged, last.problems) == (1, N_IMAGES - 1, ())
        assert_same_points(contents(store), wanted)
        store.close()


def test_a_server_laid_out_otherwise_refuses_everything_and_the_run_names_all_of_it(
    tmp_path: Path, qdrant_server: QdrantServer, prefix: str
) -> None:
    world, whole = write_world(tmp_path / "world", 2), new_store()
    run_ingest(world, whole)
    store = ServerStore(ServerAddress(qdrant_server.url), prefix)
    assert store.count(SEGMENTS) == 0  # it knows the layout, which somebody now changes
    raw = QdrantClient(url=qdrant_server.url, check_compatibility=False)
    right, alias = f"{prefix}{SEGMENTS}_v1", f"{prefix}{SEGMENTS}"
    wrong = models.VectorParams(size=DIM - 1, distance=models.Distance.COSINE)
    raw.create_collection(f"{alias}_v2", vectors_config=dict.fromkeys(RECIPES, wrong))
    raw.create_payload_index(f"{alias}_v2", "image_id", models.PayloadSchemaType.KEYWORD)
    point_alias(raw, alias, f"{alias}_v2")
    report = run_ingest(world, store)
    assert (report.n_ingested, report.n_segments) == (2, 0)
    assert len(report.problems) == 2 * N_EACH
    assert {p.image_id for p in report.problems} == {p.payload["image_id"] for p in whole.scroll(SEGMENTS)}
    assert all("dimension" in p.reason for p in report.problems)
    point_alias(raw, alias, right)
    raw.delete_collection(f"{alias}_v2")
    raw.close()
    assert run_ingest(world, store).n_segments == 2 * N_EACH
    assert_same_points(contents(store), contents(whole))
    store.close()


def point_alias(raw: QdrantClient, alias: str, physical: str) -> None:
    create = models.CreateAlias(collection_name=physical, alias_name=alias)
    raw.update_collection_aliases([models.CreateAliasOperation(create_alias=create)])
