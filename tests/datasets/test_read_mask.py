"""Masks that a person drew, in whatever form a painting program saves them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samdb.datasets.images import read_mask
from samdb.errors import ImageError

OBJECT = np.zeros((6, 8), dtype=bool)
OBJECT[1:4, 2:7] = True


def palette_picture() -> Image.Image:
    """Black and red by a palette whose black is number 7."""
    image = Image.fromarray(np.where(OBJECT, 3, 7).astype(np.uint8), mode="P")
    colours = [0] * 768
    colours[9:12] = [255, 0, 0]
    image.putpalette(colours)
    return image


PICTURES = {
    "black and white": Image.fromarray(OBJECT),
    "grey, white object": Image.fromarray(OBJECT.astype(np.uint8) * 255),
    "grey, ones": Image.fromarray(OBJECT.astype(np.uint8)),
    "16 bits, ones": Image.fromarray(OBJECT.astype(np.uint16)),
    "blue on black": Image.fromarray(np.where(OBJECT[..., None], [0, 0, 9], [0, 0, 0]).astype(np.uint8)),
    "on a transparent layer": Image.fromarray(
        np.where(OBJECT[..., None], [90, 9, 9, 255], [255, 255, 255, 0]).astype(np.uint8)
    ),
    "palette": palette_picture(),
}


@pytest.mark.parametrize("form", PICTURES)
def test_a_mask_is_what_is_neither_black_nor_transparent(form: str, tmp_path: Path) -> None:
    PICTURES[form].save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert mask.dtype == bool
    assert (mask == OBJECT).all()


def test_a_mask_that_is_no_picture_gets_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_text("no picture")
    with pytest.raises(ImageError, match="is not an image"):
        read_mask(tmp_path / "mask.png")
