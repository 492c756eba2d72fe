"""COCO's compressed run lengths as numbers: where a mask switches on and off, without drawing it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST_CHAR = 48
_VALUE_BITS, _MORE, _SIGN = 0x1F, 0x20, 0x10
_BITS_PER_CHAR = 5
#: characters of one number: 35 bits are more than any image has pixels
_MOST_CHARS = 7


def run_edges(counts: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each run of set pixels begins and where it ends, exclusive: two times (R,), counted down the
    image's columns, one after the other.

    A run may go on from the foot of a column to the head of the next. Source: `rleFrString` in the COCO API's
    maskApi.c: numbers of 5 bits per character, and from the fourth on each is the difference to the one two
    before it.
    """
    lengths = run_lengths(counts)
    edges = np.cumsum(lengths)
    n_runs = len(edges) // 2
    return edges[: 2 * n_runs : 2], edges[1 : 2 * n_runs : 2]


def run_lengths(counts: str) -> NDArray[np.int64]:
    """The lengths (N,) of the runs, of unset and of set pixels in turn.

    Raises ValueError on text that no run lengths are written as.
    """
    codes = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - _FIRST_CHAR
    last = np.flatnonzero(codes & _MORE == 0)
    if len(codes) and (codes.min() < 0 or codes.max() >= 1 << _BITS_PER_CHAR + 1 or codes[-1] & _MORE):
        raise ValueError("run lengths hold a sign that means nothing, or break off")
    first = np.concatenate([[0], last[:-1] + 1])[: len(last)]
    if len(last) == 0:
        return last
    if (last - first).max() >= _MOST_CHARS:
        raise ValueError("a run length is longer than any image")
    place = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    lengths = np.add.reduceat((codes & _VALUE_BITS) << (_BITS_PER_CHAR * place), first)
    negative = codes[last] & _SIGN != 0
    lengths[negative] -= 1 << (_BITS_PER_CHAR * (place[last][negative] + 1))
    for chain in (lengths[1::2], lengths[2::2]):
        np.cumsum(chain, out=chain)
    return lengths


def check_runs(counts: str, n_pixels: int) -> None:
    """Raise ValueError unless the runs cover so many pixels: pycocotools believes whatever it is given."""
    lengths = run_lengths(counts)
    if len(lengths) == 0 or lengths.min() < 0 or int(lengths.sum()) != n_pixels:
        raise ValueError(f"the run lengths do not cover the mask's {n_pixels:,} pixels")
