"""COCO's compressed run lengths as numbers: where a mask switches on and off, without drawing it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST_CHAR = 48
_VALUE_BITS, _MORE, _SIGN = 0x1F, 0x20, 0x10
_BITS_PER_CHAR = 5


def run_edges(counts: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each run of set pixels begins and where it ends, exclusive: two times (R,), counted down the
    image's columns, one after the other.

    A run may go on from the foot of a column to the head of the next. Source: `rleFrString` in the COCO API's
    maskApi.c: numbers of 5 bits per character, and from the fourth on each is the difference to the one two
    before it.
    """
    codes = np.frombuffer(counts.encode("ascii"), dtype=np.uint8).astype(np.int64) - _FIRST_CHAR
    last = np.flatnonzero(codes & _MORE == 0)
    first = np.concatenate([[0], last[:-1] + 1])[: len(last)]
    if len(last) == 0:
        return last, last
    place = np.arange(len(codes)) - np.repeat(first, last - first + 1)
    lengths = np.add.reduceat((codes & _VALUE_BITS) << (_BITS_PER_CHAR * place), first)
    negative = codes[last] & _SIGN != 0
    lengths[negative] -= 1 << (_BITS_PER_CHAR * (place[last][negative] + 1))
    for chain in (lengths[1::2], lengths[2::2]):
        np.cumsum(chain, out=chain)
    edges = np.cumsum(lengths)
    n_runs = len(edges) // 2
    return edges[: 2 * n_runs : 2], edges[1 : 2 * n_runs : 2]
