"""Naming segments over HTTP, taking it back, and banks."""

from __future__ import annotations

import httpx
import pytest

from tests.shapes import CLASSES, N_TRAIN, Shapes

pytestmark = pytest.mark.weights


def counts(client: httpx.Client) -> dict[str, dict[str, int]]:
    """How many segments have each class and each source of it."""
    found = client.get("/api/facets", params={"key": ["class_name", "label_source"]}).json()["counts"]
    return {key: dict(values) for key, values in found.items()}


def test_segments_are_named_and_get_their_old_names_back(client: httpx.Client, shapes: Shapes) -> None:
    before = counts(client)
    ids = [shapes.stored_id(name, 4) for name in CLASSES]
    named = client.post("/api/labels", json={"segment_ids": ids, "class_name": "cone"}).json()
    assert (named["changed"], named["inherited"]) == (3, 0)
    assert counts(client)["class_name"]["cone"] == 3
    assert counts(client)["label_source"] == {"box": 3 * N_TRAIN - 3, "predicted": 3}
    one = client.get(f"/api/segments/{ids[0]}").json()
    assert (one["class_name"], one["label_source"]) == ("cone", "predicted")
    assert "relabelled" not in one["attributes"]

    bare = client.post("/api/labels", json={"segment_ids": ids[:1], "class_name": None}).json()
    assert client.get(f"/api/segments/{ids[0]}").json()["class_name"] is None
    # the first change is undone where nothing was changed since
    assert client.post("/api/labels/undo", json={"undo_id": named["undo_id"]}).json() == {"changed": 2}
    assert client.post("/api/labels/undo", json={"undo_id": bare["undo_id"]}).json() == {"changed": 1}
    assert client.post("/api/labels/undo", json={"undo_id": named["undo_id"]}).json() == {"changed": 1}
    assert counts(client) == before
    again = client.post("/api/labels/undo", json={"undo_id": named["undo_id"]})
    assert (again.status_code, again.json()["error"]["code"]) == (404, "not_found")


def test_a_name_that_is_none_and_a_segment_that_is_not_there_change_nothing(
    client: httpx.Client, shapes: Shapes
) -> None:
    before = counts(client)
    known, unknown = shapes.stored_id("disc", 0), "d497a240-d8c5-5c80-84cd-32227648fc6e"
    for ids, name, status in (
        ([known], "  ", 400),
        ([known], "a\nb", 400),
        ([known], "a\0b", 422),
        ([known], "x" * 301, 422),
        ([known, unknown], "cone", 404),
        ([], "cone", 422),
    ):
        answer = client.post("/api/labels", json={"segment_ids": ids, "class_name": name})
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["message"]
    assert counts(client) == before


def test_banks_show_their_classes_and_the_segments_behind_their_prototypes(
    client: httpx.Client, shapes: Shapes
) -> None:
    bank, _ = client.get("/api/banks").json()["items"]
    assert (bank["label"], bank["active"], bank["recipe"]) == ("default@1", True, "blend")
    assert {c["class_name"]: c["count"] for c in bank["classes"]} == dict.fromkeys(CLASSES, N_TRAIN)
    found = client.get("/api/banks/default@1/prototypes", params={"class_name": "disc"}).json()["items"]
    assert {p["class_name"] for p in found} == {"disc"}
    stored = {shapes.stored_id("disc", n) for n in range(N_TRAIN)}
    assert {p["exemplar"]["segment_id"] for p in found} <= stored
    assert sum(p["count"] for p in found) == N_TRAIN
    everything = client.get("/api/banks/default/prototypes").json()["items"]
    assert len(everything) == bank["n_prototypes"]
