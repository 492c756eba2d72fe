"""Masks from what label files hold: polygons, run lengths, maps of ids."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.datasets.json_file import Json, as_number, as_numbers
from samdb.errors import DatasetError

# far above any photograph: a larger mask could not be unpacked in memory, and pycocotools takes memory for
# every px of a polygon's edges, inside the image or not
_MAX_PIXELS = 2**30
MAX_SIDE_PX = 2**16


def polygons_mask(raw: list[Json], size_hw: tuple[int, int]) -> Rle:
    """The union of polygons `[x0, y0, x1, y1, ...]` in px. Raises DatasetError when one is not a polygon."""
    if not all(1 <= side <= MAX_SIDE_PX for side in size_hw):
        raise DatasetError(f"the image's stated size is {size_hw[0]}x{size_hw[1]} px (height x width)")
    polygons = [_polygon(item) for item in raw]
    if not polygons:
        raise DatasetError("the segmentation is an empty list")
    return drawn(Rle.from_polygons(polygons, size_hw))


def rle_mask(raw: dict[str, Json], size_hw: tuple[int, int] | None) -> Rle:
    """The mask of `{"size": [h, w], "counts": ...}`, compressed (text) or not (list).

    The run lengths must fill the mask exactly: pycocotools itself reads beyond its memory when they do not.

    Raises DatasetError when they do not, or when the size is not `size_hw`.
    """
    height, width = (
        int(v) if math.isfinite(v) else 0 for v in as_numbers(raw.get("size"), 2, "the RLE's size")
    )
    if height < 1 or width < 1 or height * width > _MAX_PIXELS:
        raise DatasetError(f"the RLE's size is {raw.get('size')}")
    if size_hw is not None and (height, width) != size_hw:
        raise DatasetError(
            f"the RLE is {height}x{width} px, the image {size_hw[0]}x{size_hw[1]} (height x width)"
        )
    counts = raw.get("counts")
    runs = _unpack(counts) if isinstance(counts, str) else _whole_numbers(counts)
    if runs.size == 0 or runs.min() < 0 or int(runs.sum()) != height * width:
        raise DatasetError(f"the RLE's run lengths do not fill {height}x{width} px; export the masks again")
    # packed again from the runs, so that the text is the one that pycocotools itself would write
    return drawn(Rle.from_coco([int(n) for n in runs], (height, width)))


def masks_of_map(id_map: NDArray[np.integer]) -> dict[int, Rle]:
    """The mask of every id but 0 in a map of ids (H, W), in the order of the ids."""
    size_hw = (int(id_map.shape[0]), int(id_map.shape[1]))
    flat = id_map.T.ravel()  # run lengths go down the columns
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    ends = np.append(starts[1:], flat.size)
    ids = flat[starts]
    masks: dict[int, Rle] = {}
    for value in np.unique(ids[ids != 0]):
        mine = ids == value
        edges = np.stack([starts[mine], ends[mine]], axis=1).ravel()
        runs = np.diff(np.concatenate(([0], edges, [flat.size])))
        masks[int(value)] = Rle.from_coco([int(n) for n in runs], size_hw)
    return masks


def drawn(mask: Rle) -> Rle:
    """The mask itself. Raises DatasetError when it has no pixel."""
    if mask.area_px == 0:
        raise DatasetError("the mask is empty inside the image")
    return mask


def _polygon(raw: Json) -> list[float]:
    if not isinstance(raw, list) or len(raw) < 6 or len(raw) % 2:
        raise DatasetError(
            f"{raw!r:.60} is not a polygon: it needs three or more points [x0, y0, x1, y1, ...]"
        )
    points = [as_number(v, "a polygon's coordinate") for v in raw]
    if not all(abs(v) <= MAX_SIDE_PX for v in points):  # written so that NaN fails too
        raise DatasetError("a polygon has a coordinate that is not finite, or far outside any image")
    return points


def _whole_numbers(raw: Json) -> NDArray[np.int64]:
    if not isinstance(raw, list) or not all(isinstance(n, int) and 0 <= n < 2**40 for n in raw):
        raise DatasetError("the RLE's counts are neither text nor a list of whole numbers")
    return np.asarray(raw, dtype=np.int64)


def _unpack(counts: str) -> NDArray[np.int64]:
    """Run lengths (N,) of COCO's text form: base 32, low digits first, differences to the run before last."""
    digits = np.frombuffer(counts.encode("ascii", "replace"), dtype=np.uint8).astype(np.int64) - 48
    if digits.size == 0 or digits.min() < 0 or digits.max() > 63 or digits[-1] & 0x20:
        raise DatasetError("the RLE's counts are damaged; export the masks again")
    last = np.flatnonzero((digits & 0x20) == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    place = np.arange(digits.size) - np.repeat(first, last - first + 1)
    if place.max() > 7:  # more digits than any run length of a real image has
        raise DatasetError("the RLE's counts are damaged; export the masks again")
    values = np.add.reduceat((digits & 0x1F) << (5 * place), first)
    negative = (digits[last] & 0x10) != 0
    values = np.where(negative, values - (np.int64(1) << (5 * (place[last] + 1))), values)
    runs = values.copy()
    # from the fourth on, each is a difference to the run two before it
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return runs
