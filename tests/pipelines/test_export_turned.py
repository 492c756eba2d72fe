"""Images that EXIF turns: an exported copy is upright, as the boxes are, and a link is told of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samdb.core.boxes import Box
from samdb.datasets import read_image
from samdb.datasets.upright_copy import is_turned, write_upright
from samdb.pipelines.export import ExportReport, ExportRequest, ImagesMode, export
from samdb.pipelines.export_source import ExportSource
from samdb.stores.memory import MemoryStore
from tests.pipelines.ingest_worlds import new_store, run_ingest, write_labels

_ORIENTATION = 0x0112
BOX: Box = (8, 16, 40, 48)
SIZE_HW = (64, 96)
#: how Pillow turns an upright picture into what a camera stores with that EXIF orientation
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture() -> Image.Image:
    """A red square where the label is, on a ground that runs from dark to light."""
    y, x = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]]
    pixels = np.stack([x, y * 2, x + y], axis=-1).astype(np.uint8)
    x0, y0, x1, y1 = map(int, BOX)
    pixels[y0:y1, x0:x1] = (220, 20, 30)
    return Image.fromarray(pixels)


def write_turned(path: Path, orientation: int, **options: Any) -> None:
    """Write the picture as a camera does that was held that way."""
    image = picture()
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    exif[0x010F] = "a camera"
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = image.transpose(STORED[orientation]) if orientation in STORED else image
    stored.save(path, exif=exif, **options)


def as_stored(path: Path) -> NDArray[np.uint8]:
    """The pixels of a reader that ignores EXIF."""
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def noise_db(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> float:
    """Peak signal to noise, dB."""
    error = np.mean((ours.astype(float) - theirs.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("orientation", sorted(STORED))
def test_a_turned_jpeg_is_written_upright_and_as_good_as_it_was(
    tmp_path: Path, orientation: int, subsampling: int
) -> None:
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    write_turned(source, orientation, quality=85, subsampling=subsampling, icc_profile=b"a profile")
    assert is_turned(source)
    write_upright(source, target)
    assert not is_turned(target)
    assert as_stored(target).shape == (*SIZE_HW, 3)
    # a second compression must not show
    assert noise_db(as_stored(target), read_image(source)) > 42
    assert (
        noise_db(as_stored(target), np.array(picture()))
        > noise_db(read_image(source), np.array(picture())) - 0.5
    )
    with Image.open(target) as image:
        assert image.getexif()[0x010F] == "a camera"
        assert image.info["icc_profile"] == b"a profile"
    assert target.stat().st_size < 1.6 * source.stat().st_size


@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("tiff", {}), ("webp", {"lossless": True})])
def test_other_formats_are_written_upright_too(tmp_path: Path, ending: str, options: dict[str, bool]) -> None:
    source, target = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    write_turned(source, 6, **options)
    assert is_turned(source)
    write_upright(source, target)
    assert not is_turned(target)
    with Image.open(source) as before, Image.open(target) as after:
        assert before.format == after.format
    np.testing.assert_array_equal(as_stored(target), read_image(source))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Two turned photographs and one that is not, each with a labelled car."""
    root = tmp_path / "world"
    for name, orientation in (("00.jpg", 6), ("01.jpg", 3), ("02.jpg", 1)):
        write_turned(root / "images" / name, orientation, quality=90)
    write_labels(root, {f"0{i}.jpg": [(BOX, "car")] for i in range(3)})
    return root


@pytest.fixture
def store(world: Path) -> MemoryStore:
    """It, ingested."""
    made = new_store()
    assert run_ingest(world, made).n_ingested == 3
    return made


def exported(store: MemoryStore, out: Path, images: ImagesMode) -> ExportReport:
    """The labels as COCO."""
    return export(store, ExportRequest("coco", ExportSource("labels"), images), out)


def test_a_reader_that_ignores_exif_finds_the_box_where_the_car_is_in_a_copy(
    world: Path, store: MemoryStore, tmp_path: Path
) -> None:
    report = exported(store, tmp_path / "out", "copy")
    assert report.notes == (
        "2 images are turned by EXIF orientation: copied with their pixels upright, as the boxes are",
    )
    (content,) = [
        json.loads(p.read_text()) for p in (tmp_path / "out").rglob("*.json") if "samdb" not in p.name
    ]
    images = {row["id"]: row for row in content["images"]}
    assert len(content["annotations"]) == 3
    for row in content["annotations"]:
        (file,) = (tmp_path / "out").rglob(images[row["image_id"]]["file_name"].split("/")[-1])
        pixels = as_stored(file)
        image = images[row["image_id"]]
        assert pixels.shape[:2] == (image["height"], image["width"]) == SIZE_HW
        x, y, width, height = (round(v) for v in row["bbox"])
        red = (pixels[..., 0] > 150) & (pixels[..., 1] < 90)
        inside = red[y : y + height, x : x + width]
        assert inside.mean() > 0.9
        assert inside.sum() > 0.9 * red.sum()
    same = next((tmp_path / "out").rglob("02.jpg"))
    assert same.read_bytes() == (world / "images" / "02.jpg").read_bytes()


def test_links_to_turned_images_are_told_of(store: MemoryStore, tmp_path: Path) -> None:
    report = exported(store, tmp_path / "out", "link")
    assert report.notes == (
        "2 images are turned by EXIF orientation: a reader that ignores it sees boxes in the wrong place; "
        "use --images copy",
    )
    assert next((tmp_path / "out").rglob("00.jpg")).is_symlink()
    assert exported(store, tmp_path / "none", "none").notes == ()


def test_a_file_that_was_damaged_since_is_left_out_and_told_of(
    world: Path, store: MemoryStore, tmp_path: Path
) -> None:
    (world / "images" / "01.jpg").write_bytes(b"no image")
    report = exported(store, tmp_path / "out", "copy")
    assert [(x.reason, x.count) for x in report.left_out] == [
        ("image files that cannot be read any more (what is known of them is exported)", 1)
    ]
    assert report.n_images == 3
    assert not list((tmp_path / "out").rglob("01.jpg"))
