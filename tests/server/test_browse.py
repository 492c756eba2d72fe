"""Looking around: what is there, pages, counts, pictures."""

from __future__ import annotations

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from samdb.core.ids import image_point_id
from samdb.core.masks import Rle
from tests.shapes import CLASSES, N_TRAIN, Shapes

pytestmark = pytest.mark.weights


def image_key(number: int) -> str:
    """The key of an image of `train`."""
    return image_point_id("shapes", f"images/train/{number:02}.png")


def test_the_server_says_what_it_holds(client: httpx.Client) -> None:
    info = client.get("/api/info").json()
    assert info["model"] == "vit_t"
    assert info["recipes"] == ["blend"]
    assert info["default_recipe"] == "blend"
    assert info["active_bank"] == "default@1"
    assert info["totals"] == {"images": N_TRAIN, "segments": 3 * N_TRAIN}
    (dataset,) = info["datasets"]
    assert dataset == {
        "name": "shapes",
        "splits": [{"name": "train", "n_images": N_TRAIN}],
        "n_images": N_TRAIN,
        "n_segments": 3 * N_TRAIN,
    }
    assert {"class_name", "split", "granularity"} <= set(info["keys"])
    assert client.get("/health/live").json() == {"status": "ok"}
    assert client.get("/health/ready").json()["store"] == "ok"


def test_facets_count_what_matches(client: httpx.Client) -> None:
    found = client.get("/api/facets", params={"key": ["class_name", "granularity"]}).json()
    assert found["total"] == 3 * N_TRAIN
    assert found["counts"]["class_name"] == dict.fromkeys(sorted(CLASSES), N_TRAIN)
    discs = client.get("/api/facets", params={"key": "class_name", "where": "class_name=disc"}).json()
    assert (discs["total"], discs["counts"]) == (N_TRAIN, {"class_name": {"disc": N_TRAIN}})
    refused = client.get("/api/facets", params={"key": "mask_counts"})
    assert refused.status_code == 400
    assert "indexes" in refused.json()["error"]["message"]


def test_images_come_page_by_page(client: httpx.Client) -> None:
    keys: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = client.get("/api/images", params=params).json()
        assert page["total"] == N_TRAIN
        keys += [i["image_key"] for i in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert keys == sorted(image_key(n) for n in range(N_TRAIN))
    one = client.get(f"/api/images/{keys[0]}").json()
    assert (one["width"], one["height"], one["n_segments"], one["status"]) == (240, 180, 3, "done")


def test_a_filter_on_a_class_finds_the_images_that_have_it(client: httpx.Client) -> None:
    found = client.get("/api/images", params={"where": ["class_name=disc", "split=train"], "limit": 4}).json()
    assert (found["total"], len(found["items"])) == (N_TRAIN, 4)
    rest = client.get(
        "/api/images", params={"where": ["class_name=disc", "split=train"], "cursor": found["next"]}
    ).json()
    assert (len(rest["items"]), rest["next"]) == (N_TRAIN - 4, None)
    assert client.get("/api/images", params={"where": "class_name=dragon"}).json()["total"] == 0
    mixed = client.get("/api/images", params={"where": ["class_name=disc", "status=quarantined"]}).json()
    assert mixed == {"items": [], "next": None, "total": 0}


def test_the_segments_of_an_image_come_with_outlines_or_run_lengths(client: httpx.Client) -> None:
    key = image_key(2)
    outlined = client.get(f"/api/images/{key}/segments").json()["items"]
    encoded = client.get(f"/api/images/{key}/segments", params={"format": "rle"}).json()["items"]
    assert {s["class_name"] for s in outlined} == set(CLASSES)
    assert [s["area_px"] for s in outlined] == sorted((s["area_px"] for s in outlined), reverse=True)
    for with_outline, with_mask in zip(outlined, encoded, strict=True):
        mask = Rle(tuple(with_mask["mask"]["size"]), with_mask["mask"]["counts"])
        drawn = Rle.from_polygons(with_outline["polygons"], mask.size_hw).decode()
        true = mask.decode()
        assert np.logical_and(drawn, true).sum() / np.logical_or(drawn, true).sum() > 0.95
        assert mask.area_px == with_mask["area_px"]


def test_segments_come_page_by_page_without_masks(client: httpx.Client) -> None:
    page = client.get("/api/segments", params={"where": "class_name=bar", "limit": 4}).json()
    assert (page["total"], len(page["items"])) == (N_TRAIN, 4)
    assert {s["class_name"] for s in page["items"]} == {"bar"}
    assert page["items"][0]["mask"] is None
    assert page["items"][0]["polygons"] is None
    one = client.get(f"/api/segments/{page['items'][0]['segment_id']}").json()
    assert one["polygons"]


def test_pictures_are_jpeg_and_a_browser_keeps_them(client: httpx.Client, shapes: Shapes) -> None:
    crop = client.get(f"/api/segments/{shapes.stored_id('disc', 1)}/crop", params={"side": 128})
    assert crop.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(crop.content)).size) == 128
    again = client.get(
        f"/api/segments/{shapes.stored_id('disc', 1)}/crop",
        params={"side": 128},
        headers={"If-None-Match": crop.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    whole = Image.open(io.BytesIO(client.get(f"/api/images/{image_key(1)}/file").content))
    assert whole.size == (240, 180)
    small = Image.open(
        io.BytesIO(client.get(f"/api/images/{image_key(1)}/file", params={"side": 60}).content)
    )
    assert small.size == (60, 45)


def test_the_map_spreads_segments_and_says_what_its_axes_explain(client: httpx.Client) -> None:
    found = client.get("/api/map").json()
    xy = np.array([[p["x"], p["y"]] for p in found["items"]])
    classes = np.array([p["class_name"] for p in found["items"]])
    assert len(xy) == 3 * N_TRAIN
    assert np.abs(xy).max() == pytest.approx(1.0)
    assert found["recipe"] == "blend"
    assert 0.3 < sum(found["explained"]) <= 1.0
    centres = np.stack([xy[classes == name].mean(axis=0) for name in CLASSES])
    nearest = np.linalg.norm(xy[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (np.array(CLASSES)[nearest] == classes).all()
    assert client.get("/api/map", params={"recipe": "nope"}).status_code == 400


def test_what_is_not_there_is_told_in_one_shape(client: httpx.Client) -> None:
    nothing = image_point_id("shapes", "images/train/99.png")
    for path, status, code in (
        (f"/api/images/{nothing}", 404, "not_found"),
        (f"/api/images/{nothing}/segments", 404, "not_found"),
        (f"/api/segments/{nothing}", 404, "not_found"),
        (f"/api/segments/{nothing}/crop", 404, "not_found"),
        (f"/api/uploads/{nothing}/file", 404, "not_found"),
        ("/api/banks/nope/prototypes", 404, "not_found"),
        ("/api/banks/..%2f..%2fetc/prototypes", 404, "not_found"),
        ("/api/nothing", 404, "not_found"),
        ("/api/images/x", 422, "invalid"),
        ("/api/images?limit=0", 422, "invalid"),
        ("/api/segments?where=class_name", 400, "bad_request"),
    ):
        answer = client.get(path)
        assert answer.status_code == status, path
        error = answer.json()["error"]
        assert error["code"] == code
        assert error["message"]
    assert client.put("/api/info").status_code == 405
    assert client.put("/api/info").json()["error"]["code"] == "method_not_allowed"
