"""Reading image files: any common format to upright RGB, and a clear reason where that fails."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from samdb.errors import ImageError

#: Pillow refuses more than this by itself (twice its MAX_IMAGE_PIXELS): it may be a decompression bomb
MAX_PIXELS = 178_956_970

_ORIENTATION = 0x0112  # EXIF tag
#: EXIF orientations that swap width and height
SIDEWAYS = frozenset({5, 6, 7, 8})


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The image as RGB (H, W, 3), upright.

    - EXIF orientation is applied, so boxes and masks are in the frame of the upright image: what a viewer
      shows, and what annotation tools draw on.
    - 16-bit values keep their high byte (`>> 8`: full range to full range, never stretched to what one
      image happens to contain, so that equal scenes give equal pixels).
    - Transparency is laid over white, as on a page.
    - Grey, palette, CMYK and other colour spaces are converted; of an animation it is the first frame.

    The size is read from the header and checked against `max_pixels` before anything is decoded.

    Raises ImageError with the reason when the file is missing, empty, no image, damaged, truncated, larger
    than `max_pixels`, or holds values (floating point, 32-bit) that have no fixed range.
    """
    with opened_image(path, max_pixels) as image:
        turned = exif_orientation(path, image) != 1
        image.load()
        upright = ImageOps.exif_transpose(image) if turned else image
        return np.array(_to_rgb(path, upright), dtype=np.uint8)


def image_size(path: Path, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The (height, width) in px of the upright image, from its header. Raises ImageError as `read_image`."""
    with opened_image(path, max_pixels) as image:
        width, height = image.size
        return (width, height) if exif_orientation(path, image) in SIDEWAYS else (height, width)


def read_label_picture(path: Path, mode: str) -> NDArray[np.uint8]:
    """The channels (H, W, C), unconverted, of a picture whose colours are codes, such as a bitmask.

    `mode` is the Pillow mode it must have, RGB or RGBA (RGBA is taken for RGB too, without its alpha).

    Raises ImageError when it cannot be read or has another mode.
    """
    with opened_image(path, MAX_PIXELS) as image:
        image.load()
        if image.mode == "P" and mode == "RGB":  # a palette is only a shorter way to write the same colours
            return np.array(image.convert("RGB"), dtype=np.uint8)
        if image.mode not in (mode, "RGBA"):
            raise ImageError(f"{path}: is a picture of mode {image.mode}, a label picture must be {mode}")
        return np.array(image, dtype=np.uint8)[..., : len(mode)]


def read_index_picture(path: Path) -> NDArray[np.uint8]:
    """The numbers (H, W) of a picture with a palette, or of a grey one: its colours do not count.

    Raises ImageError when it cannot be read or has neither.
    """
    with opened_image(path, MAX_PIXELS) as image:
        image.load()
        if image.mode not in ("P", "L"):
            raise ImageError(
                f"{path}: is a picture of mode {image.mode}; numbers need a palette, or 8-bit grey"
            )
        return np.array(image, dtype=np.uint8)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask (H, W) that a person drew: set where the picture is neither black nor transparent.

    Raises ImageError when it cannot be read.
    """
    with opened_image(path, MAX_PIXELS) as image:
        image.load()
        if image.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa") or "transparency" in image.info:
            layer = np.array(image.convert("RGBA"))
            return np.asarray((layer[..., :3] > 0).any(axis=2) & (layer[..., 3] > 0))
        # as it is, so that a 1 in 16 bits counts like any other value; CMYK's zero is white
        values = np.array(image.convert("RGB") if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else image)
        return np.asarray(values > 0 if values.ndim == 2 else (values > 0).any(axis=2))


@contextmanager
def opened_image(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """The opened image, not decoded yet; whatever Pillow raises on it becomes an ImageError."""
    try:
        if os.stat(path).st_size == 0:
            raise ImageError(f"{path}: the file is empty (0 bytes); copy it again")
        with _QUIET, Image.open(path) as image:
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise ImageError(
                    _too_large(path, f"{image.width}x{image.height} px, {pixels:,} in all", max_pixels)
                )
            yield image
    except ImageError:
        raise
    except Image.DecompressionBombError as exc:
        raise ImageError(
            _too_large(path, "more pixels than Pillow opens", min(max_pixels, MAX_PIXELS))
        ) from exc
    except UnidentifiedImageError as exc:
        raise ImageError(
            f"{path}: is not an image, or of a format that cannot be read; convert it to JPEG or PNG"
        ) from exc
    except MemoryError as exc:
        raise ImageError(f"{path}: there is not enough memory to decode it; scale it down") from exc
    except FileNotFoundError as exc:
        raise ImageError(f"{path}: there is no such file") from exc
    except (
        Exception
    ) as exc:  # damaged files make Pillow's decoders raise almost anything, from SyntaxError to KeyError
        reason = str(exc) or type(exc).__name__
        raise ImageError(f"{path}: is damaged or truncated ({reason}); copy or export it again") from exc


def _too_large(path: Path, what: str, limit: int) -> str:
    return f"{path}: is too large ({what}; the limit is {limit:,}); scale it down or cut it into tiles"


def exif_orientation(path: Path, image: Image.Image) -> int:
    """The EXIF orientation (1-8, 1 is upright), found without decoding the image."""
    if image.format == "PNG" and "exif" not in image.info and not _has_late_exif(path):
        return 1  # Pillow would decode the whole image to look for EXIF behind it
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except (
        Exception
    ):  # an unreadable EXIF block says nothing of the orientation; the picture itself may be fine
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_late_exif(path: Path) -> bool:
    """Whether a PNG has an eXIf chunk anywhere; some tools append it behind the pixels."""
    with path.open("rb") as file:
        file.seek(8)  # the signature
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            if head[4:] == b"eXIf":
                return True
            file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
    return False


def _to_rgb(path: Path, image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "I":
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise ImageError(f"{path}: has 32-bit values without a fixed range; convert it to 8 or 16 bits")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ImageError(
            f"{path}: has floating-point values without a fixed range; convert it to 8 or 16 bits"
        )
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


class _QuietPillow:
    """Silences Pillow's warnings while any thread reads an image; what they warn of is checked here.

    `warnings.catch_warnings` changes the whole process, so it is entered by the first reader and left by the
    last: nested use from several threads would restore the filters in the wrong order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._guard = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._readers == 0:
                self._guard = warnings.catch_warnings()
                self._guard.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
            self._readers += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._guard.__exit__(None, None, None)


_QUIET = _QuietPillow()
