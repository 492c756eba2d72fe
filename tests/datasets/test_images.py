"""Reading images: every common kind comes out as upright RGB, everything else as a clear error."""

from __future__ import annotations

import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samdb.datasets import image_size, read_image
from samdb.errors import ImageError

RED, WHITE = (255, 0, 0), (255, 255, 255)


def corner(size_wh: tuple[int, int] = (6, 4)) -> Image.Image:
    """A black image whose upper left pixel is red."""
    image = Image.new("RGB", size_wh)
    image.putpixel((0, 0), RED)
    return image


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    """Save an image and return its path."""
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    """Read an image and check what holds for all."""
    array = read_image(path)
    assert array.dtype == np.uint8
    assert array.ndim == 3
    assert array.shape[2] == 3
    assert array.flags.writeable
    assert array.shape[:2] == image_size(path)
    return array


def test_rgb_comes_out_as_it_is(tmp_path: Path) -> None:
    array = pixels(saved(corner(), tmp_path / "a.png"))
    assert array.shape == (4, 6, 3)
    assert tuple(array[0, 0]) == RED
    assert array.sum() == 255


@pytest.mark.parametrize(
    ("orientation", "shape", "red_at"),
    [
        (1, (4, 6), (0, 0)),
        (2, (4, 6), (0, 5)),
        (3, (4, 6), (3, 5)),
        (4, (4, 6), (3, 0)),
        (5, (6, 4), (0, 0)),
        (6, (6, 4), (0, 3)),
        (7, (6, 4), (5, 3)),
        (8, (6, 4), (5, 0)),
        (99, (4, 6), (0, 0)),
    ],
)
def test_exif_orientation_is_applied(
    tmp_path: Path, orientation: int, shape: tuple[int, int], red_at: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    array = pixels(saved(corner(), tmp_path / "a.png", exif=exif))
    assert array.shape[:2] == shape
    assert tuple(array[red_at]) == RED


def test_orientation_behind_the_pixels_of_a_png_is_applied_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(corner(), tmp_path / "a.png").read_bytes()
    body = exif.tobytes().removeprefix(b"Exif\x00\x00")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    (tmp_path / "a.png").write_bytes(content[:-12] + chunk + content[-12:])
    assert tuple(pixels(tmp_path / "a.png")[0, 3]) == RED


def test_broken_exif_does_not_lose_the_image(tmp_path: Path) -> None:
    path = saved(corner((64, 64)), tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff garbage")
    assert pixels(path).shape == (64, 64, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_colour_spaces_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (32, 16), WHITE).convert(mode)
    path = saved(image, tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png"))
    assert pixels(path).min() >= 250


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    array = pixels(saved(image, tmp_path / "a.png"))
    assert tuple(array[0, 0]) == RED
    assert tuple(array[0, 1]) == WHITE
    assert tuple(array[0, 2]) == (127, 127, 127)


def test_transparency_of_grey_and_palette_images_counts_too(tmp_path: Path) -> None:
    grey = saved(Image.new("LA", (2, 2), (0, 0)), tmp_path / "grey.png")
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette = saved(palette, tmp_path / "palette.png", transparency=0)  # type: ignore[assignment]
    for path in (grey, tmp_path / "palette.png"):
        assert pixels(path).min() == 255


def test_16_bits_keep_their_high_byte(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 0x8000, 0xFFFF]], dtype=np.uint16)
    for name in ("a.png", "a.tif"):
        array = pixels(saved(Image.fromarray(values), tmp_path / name))
        assert array[0, :, 0].tolist() == [0, 0, 1, 128, 255]
        assert (array[..., 0] == array[..., 2]).all()


def test_16_bit_colour_is_read(tmp_path: Path) -> None:
    raw = b"\x00" + struct.pack(">3H", 0xFFFF, 0x8000, 0)
    path = tmp_path / "a.png"
    path.write_bytes(png(1, 1, depth=16, colour=2, data=zlib.compress(raw)))
    assert pixels(path)[0, 0].tolist() == [255, 128, 0]


@pytest.mark.parametrize(
    "values", [np.array([[0.5]], dtype=np.float32), np.array([[70_000]], dtype=np.int32)]
)
def test_values_without_a_fixed_range_are_refused(tmp_path: Path, values: NDArray[np.generic]) -> None:
    path = saved(Image.fromarray(values), tmp_path / "a.tif")
    with pytest.raises(ImageError, match="fixed range; convert it"):
        read_image(path)


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), RED), Image.new("RGB", (4, 4), "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert tuple(pixels(tmp_path / "a.gif")[0, 0]) == RED


def png(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """A PNG file made by hand, so that its header can lie."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 13_000, 14_000, 60_000])
def test_a_gigantic_image_is_refused_from_its_header(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side))  # a few bytes: decoding it would fail in another way
    with pytest.raises(ImageError, match=r"too large .* scale it down"):
        read_image(path, max_pixels=90_000_000)


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    path = saved(corner((10, 10)), tmp_path / "a.png")
    assert read_image(path, max_pixels=100).shape == (10, 10, 3)
    with pytest.raises(ImageError, match="10x10 px, 100 in all; the limit is 99"):
        read_image(path, max_pixels=99)


def test_an_image_between_pillows_warning_and_its_limit_is_read_without_a_warning(tmp_path: Path) -> None:
    path = saved(Image.new("1", (9_600, 9_600)), tmp_path / "a.png")  # 92 million: Pillow warns above 89
    assert image_size(path) == (9_600, 9_600)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(Image.fromarray(noise), tmp_path / f"a.{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ImageError, match=r"damaged or truncated|not an image"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not an image"),
        (b"\xff\xd8\xff", "not an image|damaged"),
        (b"\x00" * 4096, "not an"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason):
        read_image(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(ImageError):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif", "bmp", "ppm"])
def test_damaged_bytes_never_raise_anything_but_an_image_error(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(1)
    path = saved(Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)), tmp_path / f"a.{suffix}")
    good = bytearray(path.read_bytes())
    for _ in range(60):
        bad = bytearray(good)
        for at in rng.integers(0, min(len(bad), 400), 6):
            bad[at] = int(rng.integers(0, 256))
        path.write_bytes(bad)
        try:
            assert read_image(path, max_pixels=1_000_000).dtype == np.uint8
        except ImageError as exc:
            assert str(path) in str(exc)  # noqa: PT017 - both outcomes are right


def test_many_threads_can_read_at_once(tmp_path: Path) -> None:
    path = saved(Image.new("1", (9_600, 9_600)), tmp_path / "a.png")  # Pillow would warn
    failures: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(20):
                image_size(path)
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
