"""Run lengths and maps of ids, checked against pycocotools and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

from samdb.core.masks import Rle
from samdb.datasets.segmentation import masks_of_map, polygons_mask, rle_mask
from samdb.errors import DatasetError


def test_compressed_and_plain_run_lengths_give_the_mask_that_was_encoded() -> None:
    rng = np.random.default_rng(0)
    for density in (0.01, 0.5, 0.99):
        mask = rng.random((37, 53)) < density
        rle = Rle.encode(mask)
        flat = mask.T.ravel()
        edges = np.flatnonzero(np.diff(np.concatenate(([False], flat)).astype(np.int8)))
        plain = [int(n) for n in np.diff(np.concatenate(([0], edges, [flat.size])))]
        assert rle_mask({"size": [37, 53], "counts": rle.counts}, (37, 53)) == rle
        assert rle_mask({"size": [37, 53], "counts": list(plain)}, None) == rle


def test_run_lengths_of_a_large_mask_survive() -> None:
    mask = np.zeros((2000, 3000), dtype=bool)
    mask[700:1900, 100:2900] = True
    rle = Rle.encode(mask)
    assert rle_mask({"size": [2000, 3000], "counts": rle.counts}, None) == rle


def test_run_lengths_of_another_size_than_the_image_are_refused() -> None:
    rle = Rle.encode(np.ones((4, 6), dtype=bool))
    with pytest.raises(DatasetError, match="4x6 px, the image 6x4"):
        rle_mask({"size": [4, 6], "counts": rle.counts}, (6, 4))


def test_cut_off_run_lengths_never_reach_pycocotools() -> None:
    counts = Rle.encode(np.eye(50, dtype=bool)).counts
    for length in range(len(counts)):
        with pytest.raises(DatasetError):
            rle_mask({"size": [50, 50], "counts": counts[:length]}, None)


def test_the_map_of_ids_is_taken_apart_exactly() -> None:
    id_map = np.array([[0, 7, 7, 0], [0, 7, 9, 9], [16_777_215, 0, 9, 7]])
    masks = masks_of_map(id_map)
    assert list(masks) == [7, 9, 16_777_215]
    for value, mask in masks.items():
        assert np.array_equal(mask.decode(), id_map == value)


def test_a_map_without_ids_has_no_masks() -> None:
    assert masks_of_map(np.zeros((3, 4), dtype=np.int64)) == {}


def test_the_union_of_polygons_is_drawn_by_cocos_rule() -> None:
    polygons: list[list[float]] = [[0, 0, 4, 0, 4, 4, 0, 4], [6, 6, 9, 6, 9, 9]]
    mask = polygons_mask([list(p) for p in polygons], (10, 10))
    expected = coco.decode(coco.merge(coco.frPyObjects([[float(v) for v in p] for p in polygons], 10, 10)))
    assert np.array_equal(mask.decode(), expected.astype(bool))


@pytest.mark.parametrize("polygon", [[1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], "m", [1, 2, 3, 4, 5, None]])
def test_what_is_no_polygon_is_refused(polygon: list[int | None] | str) -> None:
    # pycocotools would take four numbers for a box
    with pytest.raises(DatasetError):
        polygons_mask([polygon if isinstance(polygon, str) else list(polygon)], (10, 10))
