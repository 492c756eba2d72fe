"""Where masks switch on and off, held to masks that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.runs import run_edges


def drawn(counts: str, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (H, W), drawn run by run."""
    column_major = np.zeros(size_hw[0] * size_hw[1], dtype=bool)
    for begin, end in zip(*run_edges(counts), strict=True):
        column_major[begin:end] = True
    return column_major.reshape(size_hw[1], size_hw[0]).T


def test_a_block_is_a_run_in_each_of_its_columns() -> None:
    pixels = np.zeros((4, 5), dtype=bool)
    pixels[1:3, 2:4] = True  # column 2 begins at pixel 8, column 3 at 12
    begins, ends = run_edges(Rle.encode(pixels).counts)
    assert (begins.tolist(), ends.tolist()) == ([9, 13], [11, 15])


def test_a_run_goes_on_from_a_columns_foot_to_the_next_ones_head() -> None:
    begins, ends = run_edges(Rle.encode(np.ones((4, 5), dtype=bool)).counts)
    assert (begins.tolist(), ends.tolist()) == ([0], [20])


@pytest.mark.parametrize("counts", ["", Rle.encode(np.zeros((4, 5), dtype=bool)).counts])
def test_an_empty_mask_has_no_run(counts: str) -> None:
    begins, ends = run_edges(counts)
    assert (len(begins), len(ends)) == (0, 0)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.97])
@pytest.mark.parametrize("size_hw", [(1, 1), (1, 900), (900, 1), (37, 53), (720, 1280)])
def test_runs_draw_the_mask_that_they_were_made_of(size_hw: tuple[int, int], share: float) -> None:
    # sparse ones have long runs, of several characters, and differences of either sign
    pixels = np.random.default_rng(1).random(size_hw) < share
    assert (drawn(Rle.encode(pixels).counts, size_hw) == pixels).all()
