"""Copies of images that are turned by their EXIF orientation, with the pixels themselves upright.

Boxes are of the upright image; whoever reads the file and ignores EXIF would find them in the wrong place.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import ImageOps, JpegImagePlugin

from samdb.datasets.images import SIDEWAYS, exif_orientation, opened_image


def is_turned(path: Path) -> bool:
    """Whether EXIF turns the image, from its header. Raises ImageError as `read_image` does."""
    with opened_image(path) as image:
        return exif_orientation(path, image) != 1


def write_upright(source: Path, target: Path) -> None:
    """Write an image with its pixels turned upright, in its own format and as good as it was; the rest of its
    EXIF data and its colour profile stay.

    A JPEG is written with its own quantisation and whole colours: its blocks come out as they were but for
    rounding, where its sides are multiples of a block. WebP is written without loss.

    Raises ImageError when the image cannot be read, OSError when it cannot be written.
    """
    with opened_image(source) as image:
        sideways = exif_orientation(source, image) in SIDEWAYS
        format = "JPEG" if image.format == "MPO" else str(image.format)
        options = _jpeg_options(image, sideways) if isinstance(image, JpegImagePlugin.JpegImageFile) else {}
        if format == "WEBP":
            options = {"lossless": True}
        image.load()
        upright = ImageOps.exif_transpose(image)
        kept = {k: upright.info[k] for k in ("icc_profile", "exif") if upright.info.get(k)}
    upright.save(target, format=format, **kept, **options)


def _jpeg_options(image: JpegImagePlugin.JpegImageFile, sideways: bool) -> dict[str, object]:
    tables = [np.reshape(image.quantization[i], (8, 8)) for i in sorted(image.quantization)]
    return {
        "qtables": [(table.T if sideways else table).ravel().tolist() for table in tables],
        "subsampling": 0,
    }
