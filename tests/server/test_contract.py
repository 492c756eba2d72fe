"""What the API promises holds on an embedded store and on a real Qdrant server, with the same answers."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from samdb import wiring
from samdb.config import load_settings
from samdb.core.ids import image_point_id
from samdb.sam.segmenter import SamSegmenter
from samdb.stores import copy
from tests.server.client import client_of
from tests.shapes import CLASSES, N_TRAIN, Shapes, boxes_of, copy_store
from tests.stores.qdrant_server import QdrantServer

pytestmark = pytest.mark.weights
KEY = image_point_id("shapes", "images/train/01.png")


@pytest.fixture(scope="module", autouse=True)
def clean() -> Iterator[None]:
    """No SAMDB_ variable from outside."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("SAMDB_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="module", params=["embedded", pytest.param("server", marks=pytest.mark.server)])
def client(
    request: pytest.FixtureRequest,
    clean: None,
    shapes: Shapes,
    sam: SamSegmenter,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A client of `samdb serve` on a store of the drawn dataset, of either kind."""
    folder = tmp_path_factory.mktemp("contract") / "store"
    copy_store(shapes.store, folder)
    if request.param == "embedded":
        with client_of(str(folder), sam) as made:
            yield made
        return
    qdrant: QdrantServer = request.getfixturevalue("qdrant_server")
    prefix = f"api{uuid.uuid4().hex[:8]}_"
    settings = load_settings({"store": qdrant.url, "store_prefix": prefix})
    with (
        closing(wiring.open_store(load_settings({"store": str(folder)}))) as source,
        closing(wiring.open_store(settings)) as target,
    ):
        copy.copy_store(source, target)
    with client_of(qdrant.url, sam, prefix=prefix) as made:
        yield made
    with closing(wiring.open_store(settings)) as cleaner:
        for name in cleaner.collections():
            cleaner.drop_collection(name)


def counts(client: httpx.Client, *where: str) -> dict[str, dict[str, int]]:
    """How many segments have each class and each source of it."""
    params = {"key": ["class_name", "label_source"], "where": where}
    found: dict[str, dict[str, int]] = client.get("/api/facets", params=params).json()["counts"]
    return found


def test_images_and_their_segments_are_listed_page_by_page(client: httpx.Client) -> None:
    assert client.get("/health/ready").json()["store"] == "ok"
    info = client.get("/api/info").json()
    assert (info["totals"], info["active_bank"]) == (
        {"images": N_TRAIN, "segments": 3 * N_TRAIN},
        "default@1",
    )
    first = client.get("/api/images", params={"limit": 4}).json()
    rest = client.get("/api/images", params={"limit": 4, "cursor": first["next"]}).json()
    keys = [i["image_key"] for page in (first, rest) for i in page["items"]]
    assert keys == sorted(image_point_id("shapes", f"images/train/{n:02}.png") for n in range(N_TRAIN))
    assert (first["total"], rest["next"]) == (N_TRAIN, None)
    with_discs = client.get("/api/images", params={"where": ["class_name=disc", "area_px>=1"]}).json()
    assert with_discs["total"] == N_TRAIN
    segments = client.get(f"/api/images/{KEY}/segments").json()["items"]
    assert {s["class_name"] for s in segments} == set(CLASSES)
    one = client.get(f"/api/segments/{segments[0]['segment_id']}").json()
    assert one == segments[0]
    crop = client.get(f"/api/segments/{segments[0]['segment_id']}/crop")
    assert (crop.status_code, crop.headers["content-type"]) == (200, "image/jpeg")
    missing = client.get(f"/api/segments/{KEY}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


def test_facets_count_and_filters_narrow(client: httpx.Client) -> None:
    assert counts(client)["class_name"] == dict.fromkeys(sorted(CLASSES), N_TRAIN)
    assert counts(client, "class_name=disc,bar")["class_name"] == {"bar": N_TRAIN, "disc": N_TRAIN}
    assert counts(client, "class_name!=disc", "split=val")["class_name"] == {}


def test_a_segment_and_a_box_find_their_like(client: httpx.Client, shapes: Shapes) -> None:
    example = {"segment_id": shapes.stored_id("bar", 2)}
    found = client.post("/api/search", json={"positives": [example], "limit": N_TRAIN - 1}).json()
    assert [h["segment"]["class_name"] for h in found["items"]] == ["bar"] * (N_TRAIN - 1)
    scores = [h["score"] for h in found["items"]]
    assert scores == sorted(scores, reverse=True)
    more = {"positives": [example], "limit": 50, "offset": found["next_offset"], "per_image": 1}
    assert client.post("/api/search", json=more).json()["items"] != []
    box = {"image_key": KEY, "box_xyxy": boxes_of(1)["disc"]}
    down = {"positives": [box], "negatives": [example], "where": ["class_name!=square"], "limit": 5}
    hits = client.post("/api/search", json=down).json()["items"]
    assert [h["segment"]["class_name"] for h in hits] == ["disc"] * 5
    assert shapes.stored_id("disc", 1) not in {h["segment"]["segment_id"] for h in hits}
    assert len(client.get("/api/map").json()["items"]) == 3 * N_TRAIN


def test_a_label_is_given_counted_and_undone(client: httpx.Client, shapes: Shapes) -> None:
    before = counts(client)
    ids = [shapes.stored_id(name, 4) for name in CLASSES]
    named = client.post("/api/labels", json={"segment_ids": ids, "class_name": "cone"}).json()
    assert named["changed"] == 3
    assert counts(client)["class_name"]["cone"] == 3
    assert counts(client)["label_source"]["predicted"] == 3
    undone = client.post("/api/labels/undo", json={"undo_id": named["undo_id"]}).json()
    assert undone == {"changed": 3}
    assert counts(client) == before


def test_banks_show_what_they_are_made_of_and_answer(client: httpx.Client) -> None:
    own, built_in = client.get("/api/banks").json()["items"]
    assert (own["label"], own["active"], built_in["built_in"]) == ("default@1", True, True)
    found = client.get("/api/banks/default/prototypes", params={"class_name": "disc"}).json()["items"]
    assert sum(p["count"] for p in found) == N_TRAIN
    assert all(p["exemplar"]["class_name"] == "disc" for p in found)
    boxes = list(boxes_of(1).values())
    said = client.post("/api/classify", json={"image_key": KEY, "boxes_xyxy": boxes}).json()
    assert [i["class_name"] for i in said["items"]] == list(CLASSES)
