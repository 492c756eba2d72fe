"""A store without a bank of its own: the one that comes with samdb answers, as on the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from samdb.api import connect
from samdb.bank.built_in import built_in_bank
from samdb.core.ids import image_point_id
from samdb.pipelines.bank_versions import delete_bank
from samdb.sam.segmenter import SamSegmenter
from tests.cli.command import Samdb
from tests.server.client import client_of
from tests.shapes import Shapes, copy_store

pytestmark = pytest.mark.weights
CARD = built_in_bank().card


@pytest.fixture(scope="module")
def bankless(
    shapes: Shapes, sam: SamSegmenter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a server on a store that lost its bank."""
    store = tmp_path_factory.mktemp("bankless") / "store"
    copy_store(shapes.store, store)
    with connect(str(store)) as db:
        delete_bank(db.store, "default@1", force=True)
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("SAMDB_")]:
            patch.delenv(name)
        with client_of(str(store), sam) as made:
            yield made


def test_an_image_gets_the_answers_that_the_command_line_gives(
    bankless: httpx.Client, shapes: Shapes, checkpoint: Path, tmp_path: Path
) -> None:
    command = Samdb(
        {
            "SAMDB_STORE": str(tmp_path / "none"),
            "SAMDB_CHECKPOINT": str(checkpoint),
            "SAMDB_DEVICE": "cpu",
            "SAMDB_PRECISION": "fp32",
            "SAMDB_RUNTIME": "torch",
            "SAMDB_AUTOMATIC": "exact",
            "SAMDB_POINTS_PER_SIDE": "6",
        }
    )
    photo = shapes.photo("train", 0)
    done = command("classify", photo, "--json", "--all-segments")
    assert done.code == 0, done.err
    key = image_point_id("shapes", "images/train/00.png")
    said = bankless.post("/api/classify", json={"image_key": key, "all_segments": True}).json()
    assert (said["bank"], said["built_in"]) == (CARD.label, True)
    assert len(said["items"]) == len(done.records) > 3

    for ours, theirs in zip(_by_mask(said["items"]), _by_mask(done.records), strict=True):
        for key in ("mask", "class_name", "runner_up", "reason"):
            assert ours[key] == theirs[key]
        assert ours["score"] == pytest.approx(theirs["score"], abs=1e-4)

    upload_id = bankless.post("/api/uploads", files={"file": ("a.png", photo.read_bytes())}).json()[
        "upload_id"
    ]
    again = bankless.post("/api/classify", json={"upload_id": upload_id, "all_segments": True}).json()
    assert [i["class_name"] for i in again["items"]] == [i["class_name"] for i in said["items"]]
    for label in ("built-in", CARD.label):
        named = {"upload_id": upload_id, "boxes_xyxy": [[10, 20, 70, 90]], "bank": label}
        assert bankless.post("/api/classify", json=named).json()["bank"] == CARD.label
    refused = bankless.post("/api/classify", json={"upload_id": upload_id, "bank": "default"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "no_bank")


def test_it_is_the_active_bank_with_its_classes_thresholds_and_prototypes(bankless: httpx.Client) -> None:
    info = bankless.get("/api/info").json()
    assert (info["active_bank"], info["active_bank_built_in"]) == (CARD.label, True)
    (bank,) = bankless.get("/api/banks").json()["items"]
    assert (bank["label"], bank["active"], bank["built_in"]) == (CARD.label, True, True)
    assert "700 frames" in bank["trained_on"]
    assert "not-for-profit" in bank["data_licence"]
    assert {c["class_name"]: c["threshold"] for c in bank["classes"]} == CARD.thresholds
    found = bankless.get(f"/api/banks/{CARD.label}/prototypes").json()["items"]
    assert len(found) == CARD.n_prototypes
    assert {p["exemplar"] for p in found} == {None}
    cars = bankless.get("/api/banks/built-in/prototypes", params={"class_name": "car"}).json()["items"]
    assert {p["class_name"] for p in cars} == {"car"}


def test_a_store_with_a_bank_answers_itself_and_lists_the_other_last(client: httpx.Client) -> None:
    info = client.get("/api/info").json()
    assert (info["active_bank"], info["active_bank_built_in"]) == ("default@1", False)
    banks = client.get("/api/banks").json()["items"]
    assert [(b["label"], b["active"], b["built_in"]) for b in banks] == [
        ("default@1", True, False),
        (CARD.label, False, True),
    ]


def test_an_empty_store_names_what_an_upload_shows(
    shapes: Shapes, sam: SamSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in os.environ if n.startswith("SAMDB_")]:
        monkeypatch.delenv(name)
    with client_of(str(tmp_path / "none"), sam) as client:
        assert client.get("/api/info").json()["active_bank"] == CARD.label
        assert [b["label"] for b in client.get("/api/banks").json()["items"]] == [CARD.label]
        photo = shapes.photo("val", 100).read_bytes()
        upload_id = client.post("/api/uploads", files={"file": ("a.png", photo)}).json()["upload_id"]
        said = client.post("/api/classify", json={"upload_id": upload_id})
        assert said.status_code == 200, said.text
        assert said.json()["built_in"]
        assert said.json()["items"]
        assert client.get("/api/banks/mine/prototypes").status_code == 409


def _by_mask(items: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(items, key=lambda item: str(item["mask"]["counts"]))
