"""A name given over HTTP, and then the dataset ingested once more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from samdb.api import connect
from samdb.sam.segmenter import SamSegmenter
from tests.server.client import client_of
from tests.shapes import N_TRAIN, Shapes, copy_store

pytestmark = pytest.mark.weights


def test_a_name_is_still_there_after_an_ingest_with_another_recipe(
    shapes: Shapes, sam: SamSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in os.environ if n.startswith("SAMDB_")]:
        monkeypatch.delenv(name)
    copy_store(shapes.store, tmp_path / "store")
    disc, bar = shapes.stored_id("disc", 1), shapes.stored_id("bar", 2)
    with client_of(str(tmp_path / "store"), sam) as client:
        body = {"segment_ids": [disc], "class_name": "wheel"}
        undo_id = client.post("/api/labels", json=body).json()["undo_id"]
    with connect(str(tmp_path / "store")) as db:
        db.segmenter = sam
        report = db.ingest(shapes.folder, split="train", prompts="labels", recipes=("blend", "neck"))
        assert (report.n_ingested, report.n_removed) == (N_TRAIN, 0)
    with client_of(str(tmp_path / "store"), sam) as client:
        assert client.get("/api/info").json()["recipes"] == ["blend", "neck"]
        found = client.get(f"/api/segments/{disc}").json()
        assert (found["class_name"], found["label_source"]) == ("wheel", "predicted")
        other = client.get(f"/api/segments/{bar}").json()
        assert (other["class_name"], other["label_source"]) == ("bar", "box")
        alike = {"positives": [{"segment_id": disc}], "where": ["class_name=wheel,disc"], "recipe": "neck"}
        assert len(client.post("/api/search", json=alike).json()["items"]) == N_TRAIN - 1
        # the server that named it is gone, and so is what it remembered of the change: the store knows
        assert client.post("/api/labels/undo", json={"undo_id": undo_id}).json() == {"changed": 1}
        again = client.get(f"/api/segments/{disc}").json()
        assert (again["class_name"], again["label_source"]) == ("disc", "box")
