"""Outlines of masks, and run lengths that come from outside."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samdb.core.masks import Rle
from samdb.core.outlines import mask_outlines
from samdb.core.runs import check_runs

Y, X = np.mgrid[:120, :160]
RING = (np.hypot(X - 80, Y - 60) < 50) & (np.hypot(X - 80, Y - 60) > 20)
MASKS = {
    "ring": RING,
    "square": (X > 3) & (X < 50) & (Y > 5) & (Y < 70),
    "pixel": (X == 5) & (Y == 7),
    "everything": X >= 0,
    "touching corners": ((X < 40) & (Y < 40)) | ((X >= 40) & (X < 80) & (Y >= 40) & (Y < 80)),
    "two": (X < 30) | (X > 100),
}


def filled(outlines: list[list[float]]) -> NDArray[np.bool_]:
    """The outlines filled by the even-odd rule, four times as fine, read at the middles of the pixels."""
    inside = np.zeros((4 * 120, 4 * 160), dtype=bool)
    for outline in outlines:
        page = Image.new("1", (4 * 160, 4 * 120))
        ImageDraw.Draw(page).polygon([4 * v for v in outline], fill=1)
        inside ^= np.asarray(page)
    return inside[2::4, 2::4]


@pytest.mark.parametrize("name", MASKS)
def test_an_outline_filled_is_the_mask(name: str) -> None:
    mask = MASKS[name]
    again = filled(mask_outlines(Rle.encode(mask)))
    assert np.logical_and(again, mask).sum() / np.logical_or(again, mask).sum() > 0.97


def test_a_slope_is_a_line_and_a_hole_has_its_own_outline() -> None:
    outer, hole = mask_outlines(Rle.encode(RING))
    assert len(hole) < len(outer) < 100  # of some 400 pixel edges
    assert max(outer[::2]) - min(outer[::2]) == pytest.approx(99, abs=1)
    assert mask_outlines(Rle.encode(np.zeros((4, 4), dtype=bool))) == []


def test_run_lengths_that_do_not_cover_their_image_are_refused() -> None:
    for mask in MASKS.values():
        check_runs(Rle.encode(mask).counts, mask.size)
    good = Rle.encode(RING).counts
    for counts, n in (
        (good, RING.size + 1),
        (good[:-3], RING.size),
        ("o" * 30, 4),
        ("", 4),
        ("\u007f", 4),
        ("O", 4),
    ):
        with pytest.raises(ValueError, match="run length"):
            check_runs(counts, n)
