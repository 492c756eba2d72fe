"""The recipe `semantic`: a classifier's look at the boxes of an image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from samdb.core.masks import Rle
from samdb.core.prompt import NO_TOKENS, MaskCandidate
from samdb.core.vectors import normalise
from samdb.errors import ConfigError
from samdb.sam.checkpoints import SEMANTIC_MODEL
from samdb.sam.device import Compute
from samdb.sam.efficientnet_lite import DIM, SIDE_PX, EfficientNetLite2
from samdb.sam.recipes import RECIPES
from samdb.sam.segmenter import SamSegmenter
from samdb.sam.semantic import SemanticEmbedder, load_semantic, square_crop
from tests.sam.material import find_or_pull
from tests.sam.small_networks import small_networks

CPU = Compute("cpu", "fp32")


@pytest.fixture(scope="module")
def embedder() -> SemanticEmbedder:
    torch.manual_seed(0)
    return SemanticEmbedder(EfficientNetLite2().eval().requires_grad_(False), "cpu")


def _picture(height: int = 120, width: int = 200) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_box_inside_the_image_fills_its_crop() -> None:
    """Left half black, right half white: a box around the edge between them is cut in the middle."""
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    image[:, 50:] = 255
    crop = square_crop(Image.fromarray(image), (40.0, 45.0, 60.0, 55.0), 2.0)
    assert crop.shape == (SIDE_PX, SIDE_PX, 3)
    assert (crop[:, : SIDE_PX // 2 - 20] == 0).all()
    assert (crop[:, SIDE_PX // 2 + 20 :] == 255).all()


def test_what_lies_outside_the_image_is_grey() -> None:
    white = Image.fromarray(np.full((100, 100, 3), 255, dtype=np.uint8))
    crop = square_crop(white, (0.0, 0.0, 20.0, 20.0), 2.0)  # a square from -10 to 30: a quarter lies outside
    quarter = SIDE_PX // 4
    assert (crop[: quarter - 2] == 127).all()
    assert (crop[:, : quarter - 2] == 127).all()
    assert (crop[quarter + 2 :, quarter + 2 :] == 255).all()


def test_a_box_of_one_pixel_and_one_as_large_as_the_image_are_cut_too(embedder: SemanticEmbedder) -> None:
    rows = embedder.embed(_picture(), [(5.0, 5.0, 6.0, 6.0), (0.0, 0.0, 200.0, 120.0)])
    assert rows.shape == (2, DIM)
    assert np.isfinite(rows).all()


def test_a_box_is_described_the_same_beside_any_others(embedder: SemanticEmbedder) -> None:
    boxes = [(float(x), 10.0, float(x + 30), 50.0) for x in range(0, 150, 15)]
    together = embedder.embed(_picture(), boxes)
    alone = np.concatenate([embedder.embed(_picture(), [box]) for box in boxes])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_recipe_says_the_dimension_that_the_embedder_makes() -> None:
    assert RECIPES["semantic"].dim(320) == DIM


@pytest.mark.weights
def test_the_published_classifier_tells_likeness_of_a_thing_from_likeness_of_a_place() -> None:
    """The same pattern moved and scaled stays nearer to itself than to another."""
    checkpoint, reason = find_or_pull(SEMANTIC_MODEL)
    if checkpoint is None:
        pytest.skip(reason)
    y, x = np.mgrid[0:200, 0:300]
    image = np.full((200, 300, 3), 90, dtype=np.uint8)
    for top, left, side in ((20, 20, 60), (110, 40, 80)):
        disc = (y - top - side / 2) ** 2 + (x - left - side / 2) ** 2 < (side / 2) ** 2
        image[disc] = (200, 30, 30)
    stripes = ((x // 6) % 2 == 0) & (x > 200) & (x < 280) & (y > 40) & (y < 140)
    image[stripes] = (240, 240, 240)
    boxes = [(20.0, 20.0, 80.0, 80.0), (40.0, 110.0, 120.0, 190.0), (200.0, 40.0, 280.0, 140.0)]
    rows = normalise(load_semantic(checkpoint, "cpu").embed(image, boxes))
    cosines = rows @ rows.T
    assert cosines[0, 1] > 0.8 > cosines[0, 2] + 0.2


def _candidate(box_xyxy: tuple[int, int, int, int]) -> MaskCandidate:
    x0, y0, x1, y1 = box_xyxy
    mask = np.zeros((120, 200), dtype=bool)
    mask[y0:y1, x0:x1] = True
    return MaskCandidate(
        mask=Rle.encode(mask),
        box_xyxy=(float(x0), float(y0), float(x1), float(y1)),
        area_px=int(mask.sum()),
        predicted_iou=0.9,
        stability_score=0.9,
        output=1,
        tokens=NO_TOKENS,
        prompt_kind="grid",
    )


def test_the_segmenter_loads_the_classifier_once_and_only_when_it_is_wanted(
    embedder: SemanticEmbedder,
) -> None:
    loaded: list[SemanticEmbedder] = []

    def load() -> SemanticEmbedder:
        loaded.append(embedder)
        return embedder

    segmenter = SamSegmenter(small_networks(), CPU, weights_sha256="x", load_semantic=load)
    image = segmenter.encode(_picture())
    masks = [_candidate((20, 20, 60, 70)), _candidate((100, 10, 190, 100))]
    segmenter.embed(image, masks, ["backbone"])
    assert not loaded
    found = segmenter.embed(image, masks, ["backbone", "semantic"])
    segmenter.embed(image, masks[:1], ["semantic"])
    assert len(loaded) == 1
    direct = normalise(embedder.embed(_picture(), [m.box_xyxy for m in masks]))
    np.testing.assert_allclose(np.stack([row["semantic"] for row in found]), direct, atol=1e-6)
    assert segmenter.embed(image, [], ["semantic"]) == []


def test_a_segmenter_without_a_classifier_says_so() -> None:
    segmenter = SamSegmenter(small_networks(), CPU, weights_sha256="x")
    with pytest.raises(ConfigError, match="recipe 'semantic' needs a classifier"):
        segmenter.embed(segmenter.encode(_picture()), [_candidate((1, 1, 9, 9))], ["semantic"])
