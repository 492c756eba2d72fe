"""What needs Segment Anything: masks, searches on images, uploads, classification."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from samdb.core.ids import image_point_id
from samdb.core.masks import Rle, mask_iou
from tests.shapes import CLASSES, N_TRAIN, Shapes, boxes_of

pytestmark = pytest.mark.weights
KEY = image_point_id("shapes", "images/train/01.png")
NEW = 100


def upload(client: httpx.Client, path: Path, name: str = "photo.png") -> str:
    """Upload an image; its id."""
    answer = client.post("/api/uploads", files={"file": (name, path.read_bytes())})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["width"], answer.json()["height"]) == (240, 180)
    return str(answer.json()["upload_id"])


def classes(answer: httpx.Response) -> list[str]:
    """The classes of the hits of a search, best first."""
    assert answer.status_code == 200, answer.text
    return [hit["segment"]["class_name"] for hit in answer.json()["items"]]


def test_a_click_on_a_segment_finds_its_like_without_sam(client: httpx.Client, shapes: Shapes) -> None:
    body = {"positives": [{"segment_id": shapes.stored_id("bar", 2)}], "limit": 4}
    answer = client.post("/api/search", json=body)
    found = answer.json()
    assert classes(answer) == ["bar"] * 4
    assert found["sam_ms"] == 0
    assert [hit["rank"] for hit in found["items"]] == [1, 2, 3, 4]
    assert shapes.stored_id("bar", 2) not in {hit["segment"]["segment_id"] for hit in found["items"]}
    rest = client.post("/api/search", json={**body, "offset": found["next_offset"]})
    assert rest.json()["items"][0]["rank"] == 5
    once = {hit["segment"]["segment_id"] for hit in found["items"]}
    assert not once & {hit["segment"]["segment_id"] for hit in rest.json()["items"]}


def test_filters_and_limits_per_image_hold(client: httpx.Client, shapes: Shapes) -> None:
    body = {"positives": [{"segment_id": shapes.stored_id("bar", 2)}], "limit": 50}
    discs = client.post("/api/search", json={**body, "where": ["class_name=disc"]})
    assert set(classes(discs)) == {"disc"}
    assert discs.json()["next_offset"] is None
    per_image = client.post("/api/search", json={**body, "per_image": 1}).json()["items"]
    assert len(per_image) == N_TRAIN
    assert len({hit["segment"]["image_id"] for hit in per_image}) == N_TRAIN


def test_thumbs_up_and_down_bend_the_query(client: httpx.Client, shapes: Shapes) -> None:
    up = [{"segment_id": shapes.stored_id(name, 1)} for name in ("disc", "square")]
    down = [{"segment_id": shapes.stored_id("bar", 1)}]
    found = classes(client.post("/api/search", json={"positives": up, "negatives": down, "limit": 10}))
    assert set(found) == {"disc", "square"}


@pytest.mark.parametrize("name", CLASSES)
def test_a_box_on_a_stored_image_gives_its_mask_and_finds_its_like(client: httpx.Client, name: str) -> None:
    box = boxes_of(1)[name]
    masks = client.post("/api/masks", json={"image_key": KEY, "box_xyxy": box}).json()["items"]
    whole = Rle((180, 240), masks[0]["mask"]["counts"])
    assert whole.box_xyxy == pytest.approx(box, abs=3)
    assert masks[0]["output"] == 0
    assert masks[0]["polygons"]
    example = {"image_key": KEY, "box_xyxy": box}
    answer = client.post("/api/search", json={"positives": [example], "limit": N_TRAIN - 1})
    # the stored segment is the example itself, and no hit
    assert classes(answer) == [name] * (N_TRAIN - 1)
    assert answer.json()["sam_ms"] > 0
    by_mask = {"image_key": KEY, "mask": {"size": [180, 240], "counts": whole.counts}}
    assert classes(client.post("/api/search", json={"positives": [by_mask], "limit": 3})) == [name] * 3


def test_an_upload_is_searched_by_and_classified_and_forgotten(client: httpx.Client, shapes: Shapes) -> None:
    boxes = boxes_of(NEW)
    upload_id = upload(client, shapes.photo("val", NEW), "../../etc/passwd")
    x0, y0, x1, y1 = boxes["disc"]
    middle = [(x0 + x1) / 2, (y0 + y1) / 2]
    masks = client.post("/api/masks", json={"upload_id": upload_id, "points": [middle]}).json()["items"]
    assert masks[0]["predicted_iou"] == max(m["predicted_iou"] for m in masks)
    by_box = {"upload_id": upload_id, "box_xyxy": boxes["square"]}
    assert classes(client.post("/api/search", json={"positives": [by_box], "limit": 3})) == ["square"] * 3

    body = {"upload_id": upload_id, "boxes_xyxy": list(boxes.values())}
    given = client.post("/api/classify", json=body).json()
    assert [item["class_name"] for item in given["items"]] == list(boxes)
    assert {item["segment_id"] for item in given["items"]} == {None}
    assert given["bank"] == "default@1"
    seen = client.post("/api/classify", json={"upload_id": upload_id, "all_segments": True}).json()["items"]
    for name, box in boxes.items():
        there = Rle.from_polygons(
            [[box[0], box[1], box[2], box[1], box[2], box[3], box[0], box[3]]], (180, 240)
        )
        masks_seen = [Rle((180, 240), item["mask"]["counts"]) for item in seen]
        best = int(mask_iou([there], masks_seen)[0].argmax())
        assert seen[best]["candidates"], name

    assert client.get(f"/api/uploads/{upload_id}/file").headers["content-type"] == "image/jpeg"
    assert client.delete(f"/api/uploads/{upload_id}").status_code == 204
    for answer in (
        client.get(f"/api/uploads/{upload_id}/file"),
        client.delete(f"/api/uploads/{upload_id}"),
        client.post("/api/masks", json={"upload_id": upload_id, "points": [middle]}),
    ):
        assert answer.status_code == 404
        assert "upload the image again" in answer.json()["error"]["message"]


def test_a_stored_image_that_is_classified_knows_its_segments(client: httpx.Client, shapes: Shapes) -> None:
    boxes = list(boxes_of(1).values())
    found = client.post("/api/classify", json={"image_key": KEY, "boxes_xyxy": boxes}).json()
    ids = [item["segment_id"] for item in found["items"]]
    assert ids == [shapes.stored_id(name, 1) for name in CLASSES]
    assert [item["class_name"] for item in found["items"]] == list(CLASSES)


def test_a_stored_image_that_is_uploaded_is_recognised(client: httpx.Client, shapes: Shapes) -> None:
    upload_id = upload(client, shapes.photo("train", 3))
    example = {"upload_id": upload_id, "box_xyxy": boxes_of(3)["disc"]}
    hits = client.post("/api/search", json={"positives": [example], "limit": 50}).json()["items"]
    assert shapes.stored_id("disc", 3) not in {hit["segment"]["segment_id"] for hit in hits}


def test_prompts_that_cannot_be_used_are_explained(client: httpx.Client, shapes: Shapes) -> None:
    outside: dict[str, object] = {"image_key": KEY, "box_xyxy": [500, 500, 600, 600]}
    small = {"image_key": KEY, "mask": {"size": [10, 10], "counts": "ZZ1"}}
    broken = {"image_key": KEY, "mask": {"size": [180, 240], "counts": "ooo"}}
    other = {"image_key": KEY, "mask": {"size": [1, 4], "counts": "121"}}
    cases: list[tuple[str, dict[str, object], int, str]] = [
        ("/api/masks", outside, 400, "lies outside"),
        ("/api/masks", {"image_key": KEY}, 422, "box_xyxy or points"),
        ("/api/masks", {"box_xyxy": [0, 0, 9, 9]}, 422, "image_key or upload_id"),
        ("/api/masks", {"image_key": KEY, "points": [[1, 1]], "foreground": []}, 422, "1 points but 0"),
        ("/api/search", {"positives": []}, 422, "positives"),
        ("/api/search", {"positives": [small]}, 422, "do not cover"),
        ("/api/search", {"positives": [broken]}, 422, "run length"),
        ("/api/search", {"positives": [other]}, 400, "as large as the image"),
        ("/api/search", {"positives": [{"segment_id": KEY, "image_key": KEY}]}, 422, "segment_id alone"),
        ("/api/search", {"positives": [{"segment_id": KEY}]}, 404, "no segment"),
        ("/api/search", {"positives": [{"segment_id": "x"}]}, 422, "pattern"),
        ("/api/search", {"positives": [outside], "recipe": "nope"}, 400, "unknown recipe"),
        ("/api/search", {"positives": [outside], "where": ["class_name"]}, 400, "cannot read the filter"),
        ("/api/classify", {"image_key": KEY, "bank": "nope"}, 409, "no bank nope"),
    ]
    for path, body, status, text in cases:
        answer = client.post(path, json=body)
        assert answer.status_code == status, (path, body, answer.text)
        assert text in answer.json()["error"]["message"]
