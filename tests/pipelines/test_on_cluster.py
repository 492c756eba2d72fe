"""The pipelines on a real cluster of three shards in two copies: ingest, a bank, names given by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from samdb.core.tuning import StoreTuning
from samdb.pipelines.bank_versions import load_active_bank
from samdb.pipelines.publish_bank import publish, set_active
from samdb.pipelines.relabel import relabel, undo_relabel
from samdb.stores.layout import SEGMENTS, LayoutParams
from samdb.stores.migrate import migrate
from samdb.stores.open import open_store
from tests.bank.worlds import bank_of, prototype, unit
from tests.pipelines.ingest_worlds import (
    DIM,
    assert_ledger_agrees,
    assert_same_points,
    contents,
    new_store,
    run_ingest,
    write_world,
)
from tests.stores.qdrant_cluster import QdrantCluster

pytestmark = pytest.mark.server
N_IMAGES = 10


def test_what_is_written_through_one_node_is_read_from_the_others(
    tmp_path: Path, qdrant_cluster: QdrantCluster
) -> None:
    world, whole = write_world(tmp_path / "world", N_IMAGES), new_store()
    run_ingest(world, whole)
    writer, *readers = (open_store(url, prefix="piped_") for url in qdrant_cluster.urls)
    layout = LayoutParams("vit_t", {"neck": DIM, "backbone": DIM}, StoreTuning(shards=3, replicas=2))
    migrate(writer, layout)
    assert run_ingest(world, writer).n_ingested == N_IMAGES
    assert run_ingest(world, readers[0]).n_unchanged == N_IMAGES
    for reader in readers:
        assert_same_points(contents(reader), contents(whole))
        assert_ledger_agrees(reader)

    rows = (unit(1, 0, 0, 0, 0, 0, 0, 0), unit(0, 1, 0, 0, 0, 0, 0, 0))
    bank = bank_of([prototype("a", rows[0], "car"), prototype("b", rows[1], "sign")])
    publish(writer, bank)
    set_active(writer, bank.card)
    for reader in readers:
        assert {p.class_name for p in load_active_bank(reader).prototypes} == {"car", "sign"}

    top = next(p.id for p in readers[0].scroll(SEGMENTS) if p.payload["granularity"] == "whole")
    done = relabel(readers[0], [top], "truck")
    assert (done.changed, done.inherited) == (1, 2)
    assert writer.facet(SEGMENTS, "class_name") == {"car": 3 * (N_IMAGES - 1), "truck": 3}
    assert undo_relabel(readers[1], done.undo_id) == 3
    assert_same_points(contents(writer), contents(whole))
    for name in writer.collections():
        writer.drop_collection(name)
    for store in (writer, *readers):
        store.close()
