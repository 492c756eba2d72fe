"""Images and labels as the world has them, through the command line and SAM: what cannot be used is reported
with its reason, what can be is stored in the right frame, and the run always goes on.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samdb.core.boxes import Box
from samdb.core.masks import mask_iou
from samdb.core.points import Condition
from samdb.core.segment import Segment
from samdb.stores.codec import point_to_segment
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES, SEGMENTS
from tests.pipelines.command_line import Finished, read_report, run_here
from tests.pipelines.ingest_worlds import filled, noise, write_image, write_labels

pytestmark = pytest.mark.weights

#: the images are upright 120 x 160 px (W x H); the labelled red block lies here
SIZE_HW = (160, 120)
BLOCK: Box = (30, 40, 90, 110)
NAN = float("nan")


def block() -> NDArray[np.uint8]:
    """A red block on grey."""
    image = np.full((*SIZE_HW, 3), 120, dtype=np.uint8)
    image[40:110, 30:90] = (200, 30, 30)
    return image


def write_good_images(folder: Path) -> None:
    """The same block in every kind of file that can be read."""
    picture = Image.fromarray(block())
    picture.save(folder / "plain.jpg", quality=95)
    picture.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    picture.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.png")
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "sixteen.png")
    clear = picture.convert("RGBA")
    clear.putalpha(Image.fromarray(np.where(block()[..., 1] == 30, 255, 0).astype(np.uint8)))
    clear.save(folder / "alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "rotated.jpg", quality=95, exif=exif)
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    Image.fromarray(noise(1, (3, 5000))).save(folder / "thin.png")


def write_bad_images(folder: Path) -> None:
    """Files that cannot be read."""
    jpeg = (folder / "plain.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "corrupt.jpg").write_bytes(jpeg[:4] + bytes(len(jpeg)))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not a photograph")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    (folder / "gigantic.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def add_bad_labels(path: Path) -> None:
    """Labels that no image has: their own entries, on `boxes.png` and `mask.png`."""
    content = json.loads(path.read_text())
    number = {image["file_name"]: image["id"] for image in content["images"]}
    boxes = {
        "nan": [NAN, 40, 60, 70],
        "inverted": [90, 40, -60, 70],
        "outside": [300, 40, 60, 70],
        "sub-pixel": [30.25, 40, 0.5, 70],
        "partly": [60, 40, 500, 70],
        "no numbers": ["a", "b", "c", "d"],
    }
    for label_id, bbox in boxes.items():
        entry = {"id": label_id, "image_id": number["boxes.png"], "category_id": 1, "bbox": bbox}
        content["annotations"].append(entry)
    mask = {"size": [50, 60], "counts": [0, 3000]}
    entry = {"id": "other size", "image_id": number["mask.png"], "category_id": 1, "segmentation": mask}
    content["annotations"].append(entry)
    path.write_text(json.dumps(content))


@dataclass(frozen=True, slots=True)
class Run:
    """A dataset that was ingested, and what was said and stored."""

    root: Path
    store: Path
    finished: Finished
    report: dict[str, object]
    segments: Mapping[str, list[Segment]]
    sizes: Mapping[str, object]

    def reasons(self, kind: str) -> dict[str, list[str]]:
        """Why images were `quarantined`, or labels are `problems`, by image."""
        found: dict[str, list[str]] = {}
        rows = self.report[kind]
        assert isinstance(rows, list)
        for row in rows:
            found.setdefault(Path(row["image_id"]).name, []).append(row["reason"])
        return found

    def wholes(self, image: str) -> list[Segment]:
        """The labelled objects of an image."""
        return [s for s in self.segments.get(image, []) if s.granularity == "whole"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Run:
    """Everything bad in one dataset, ingested once."""
    root = tmp_path_factory.mktemp("bad") / "world"
    images = root / "images"
    images.mkdir(parents=True)
    write_good_images(images)
    write_bad_images(images)
    for name in ("boxes.png", "mask.png"):
        write_image(images / name, block())
    boxes: dict[str, Box] = {"dot.png": (0, 0, 1, 1), "thin.png": (1000, 0, 1400, 3)}
    write_labels(root, {f.name: [(boxes.get(f.name, BLOCK), "car")] for f in sorted(images.iterdir())})
    add_bad_labels(root / "annotations" / "instances_train.json")
    store, report = root.parent / "store", root.parent / "out" / "report.json"
    words = ("ingest", str(root), "--store", str(store), "--report", str(report))
    finished = run_here(checkpoint, *words)
    opened = EdgeStore(store)
    segments: dict[str, list[Segment]] = {}
    for point in opened.scroll(SEGMENTS):
        segment = point_to_segment(point)
        segments.setdefault(Path(segment.image_id).name, []).append(segment)
    sizes = {Path(str(p.payload["path"])).name: p.payload.get("size_hw") for p in opened.scroll(IMAGES)}
    opened.close()
    return Run(root, store, finished, read_report(report), segments, sizes)


def test_the_run_goes_on_to_its_end_and_succeeds(run: Run) -> None:
    assert run.finished.code == 0, run.finished.said
    assert (run.report["n_images"], run.report["n_ingested"]) == (15, 10)
    assert "5 images left out" in run.finished.said
    assert "10 images ingested" in run.finished.said


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("truncated.jpg", "damaged or truncated"),
        ("corrupt.jpg", "is not an image"),
        ("empty.jpg", "empty (0 bytes)"),
        ("text.jpg", "is not an image"),
        ("gigantic.png", "is too large (more pixels than Pillow opens"),
    ],
)
def test_an_image_that_cannot_be_read_is_left_out_with_its_reason(run: Run, image: str, reason: str) -> None:
    assert run.reasons("quarantined").keys() == {
        "truncated.jpg",
        "corrupt.jpg",
        "empty.jpg",
        "text.jpg",
        "gigantic.png",
    }
    (found,) = run.reasons("quarantined")[image]
    assert reason in found
    assert image in found
    assert image not in run.segments
    assert run.sizes[image] is None


@pytest.mark.parametrize(
    "image", ["plain.jpg", "cmyk.jpg", "palette.png", "sixteen.png", "alpha.png", "rotated.jpg"]
)
def test_every_kind_of_image_is_cut_in_its_upright_frame(run: Run, image: str) -> None:
    (whole,) = run.wholes(image)
    assert run.sizes[image] == list(SIZE_HW)
    assert whole.mask.size_hw == SIZE_HW
    assert mask_iou([whole.mask], [filled(BLOCK, SIZE_HW)])[0, 0] > 0.9


def test_images_of_one_pixel_and_of_three_rows_are_cut(run: Run) -> None:
    (dot,) = run.wholes("dot.png")
    assert (dot.area_px, dot.box_xyxy) == (1, (0, 0, 1, 1))
    (thin,) = run.wholes("thin.png")
    assert thin.mask.size_hw == (3, 5000)
    assert "sub_cell" not in dot.flags  # one pixel, but all of the image


def test_boxes_that_cannot_be_used_are_reported_with_their_reason(run: Run) -> None:
    reasons = run.reasons("problems")["boxes.png"]
    for label_id, reason in {
        "nan": "not a finite number",
        "inverted": "inverted",
        "outside": "outside the image of 120x160 px",
        "sub-pixel": "less than a pixel",
        "no numbers": "not a number",
    }.items():
        assert [reason in text for text in reasons if text.startswith(f"label {label_id}")] == [True]
    assert len(reasons) == 5
    wholes = {s.label_id: s for s in run.wholes("boxes.png")}
    assert len(wholes) == 2
    assert wholes["partly"].label_box_xyxy == (60, 40, 560, 110)


def test_a_mask_of_another_size_is_reported_and_the_image_keeps_its_other_labels(run: Run) -> None:
    (reason,) = run.reasons("problems")["mask.png"]
    assert "its mask is made for an image of 60x50 px, this one is 120x160" in reason
    assert len(run.wholes("mask.png")) == 1


def test_nothing_else_is_reported(run: Run) -> None:
    assert run.reasons("problems").keys() == {"boxes.png", "mask.png"}
    assert (run.report["label_files"], run.report["notices"]) == ([], [])


def test_the_report_says_what_was_done(run: Run) -> None:
    stored = sum(len(s) for s in run.segments.values())
    assert run.report["dataset"] == "world"
    assert (run.report["n_segments"], run.report["n_unchanged"], run.report["n_removed"]) == (stored, 0, 0)
    seconds, speed = run.report["seconds"], run.report["images_per_s"]
    assert isinstance(seconds, float)
    assert speed == pytest.approx(10 / seconds)
    profile, share = run.report["profile"], run.report["sam_share"]
    assert isinstance(profile, dict)
    assert isinstance(share, float)
    assert share == pytest.approx((profile["encode_s"] + profile["decode_s"]) / seconds)
    assert profile.keys() == {"read_s", "encode_s", "decode_s", "finish_s", "write_s"}
    assert f"{100 * share:.0f} % of the time inside SAM" in run.finished.said


def test_every_segment_has_its_vectors_and_lies_in_its_image(run: Run) -> None:
    for image, segments in run.segments.items():
        for segment in segments:
            assert list(segment.mask.size_hw) == run.sizes[image]
            assert segment.area_px == segment.mask.area_px > 0


def test_strict_fails_for_what_was_left_out_also_when_nothing_is_new(run: Run, checkpoint: Path) -> None:
    report = run.root.parent / "again.json"
    words = ("ingest", str(run.root), "--store", str(run.store), "--strict", "--report", str(report))
    assert run_here(checkpoint, *words).code == 1
    again = read_report(report)
    assert (again["n_ingested"], again["n_unchanged"], again["n_segments"]) == (0, 10, 0)
    for kind in ("quarantined", "problems"):
        assert again[kind] == run.report[kind]


def test_a_broken_label_file_is_reported_and_fails_only_a_strict_run(
    tmp_path: Path, checkpoint: Path
) -> None:
    root, report = tmp_path / "world", tmp_path / "report.json"
    write_image(root / "images" / "a.png", block())
    write_image(root / "images" / "b.png", block())
    write_labels(root, {"a.png": [(BLOCK, "car")]})
    (root / "annotations" / "instances_val.json").write_text('{"images": [{"id": 1, "file_na')
    words = ("ingest", str(root), "--store", str(tmp_path / "store"), "--report", str(report))
    finished = run_here(checkpoint, *words)
    assert finished.code == 0, finished.said
    assert "broken JSON" in finished.said
    record = read_report(report)
    assert "instances_val.json: is broken JSON" in str(record["label_files"])
    assert record["n_ingested"] == 2
    assert run_here(checkpoint, *words, "--strict").code == 1
    store = EdgeStore(tmp_path / "store")
    assert store.count(SEGMENTS, (Condition("label_source", "=", ("box",)),)) == 1
    store.close()


def test_images_without_labels_are_worth_a_note_but_do_not_fail_a_strict_run(
    tmp_path: Path, checkpoint: Path
) -> None:
    root, report = tmp_path / "bdd100k", tmp_path / "report.json"
    for split in ("val", "test"):
        write_image(root / "images" / "100k" / split / f"{split}.png", block())
    x0, y0, x1, y1 = BLOCK
    box = {"x1": x0, "y1": y0, "x2": x1 - 1, "y2": y1 - 1}
    frame = {"name": "val.png", "labels": [{"id": 1, "category": "car", "box2d": box}]}
    (root / "labels" / "det_20").mkdir(parents=True)
    (root / "labels" / "det_20" / "det_val.json").write_text(json.dumps([frame]))
    words = ("ingest", str(root), "--store", str(tmp_path / "store"), "--strict", "--report", str(report))
    finished = run_here(checkpoint, *words)
    assert finished.code == 0, finished.said
    record = read_report(report)
    assert record["label_files"] == []
    assert "images/100k/test: no labels" in str(record["notices"])


def test_a_folder_without_labels_is_cut_by_the_grid_unless_told_otherwise(
    tmp_path: Path, checkpoint: Path
) -> None:
    write_image(tmp_path / "photos" / "a.png", block())
    grid = ("--points-per-side", "2", "--store", str(tmp_path / "store"))
    finished = run_here(checkpoint, "ingest", str(tmp_path / "photos"), *grid)
    assert finished.code == 0, finished.said
    store = EdgeStore(tmp_path / "store")
    segments = [point_to_segment(p) for p in store.scroll(SEGMENTS)]
    store.close()
    assert {(s.prompt_kind, s.label_source, s.flags) for s in segments} == {("grid", "none", ())}
    assert mask_iou([s.mask for s in segments], [filled(BLOCK, SIZE_HW)]).max() > 0.9


def test_a_report_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path, checkpoint: Path) -> None:
    write_image(tmp_path / "world" / "a.png", block())
    (tmp_path / "file").write_text("")
    report, store = tmp_path / "file" / "report.json", tmp_path / "store"
    finished = run_here(
        checkpoint, "ingest", str(tmp_path / "world"), "--store", str(store), "--report", str(report)
    )
    assert finished.code == 2
    assert "choose another --report file" in finished.said
    assert not store.exists()
