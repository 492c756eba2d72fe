"""The crop recipe, with an encoder whose features can be counted by hand: the mean colour of each cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from samdb.core.masks import Rle
from samdb.core.vectors import normalise
from samdb.sam.crops import CropEmbedder
from samdb.sam.device import Compute
from samdb.sam.encoder import Features, TorchEncoder
from tests.sam.material import LoadedModel, street

# what a black and a white pixel are after normalisation, per channel
_BLACK = np.array([-123.675 / 58.395, -116.28 / 57.12, -103.53 / 57.375])
_WHITE = np.array([(255 - 123.675) / 58.395, (255 - 116.28) / 57.12, (255 - 103.53) / 57.375])


class MeanColour:
    """An encoder that gives the mean of each 16 x 16 px cell, and notes what it was asked."""

    name = "mean-colour"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.seen: list[Tensor] = []

    def __call__(self, inputs: Sequence[Tensor]) -> Features:
        """Mean colour of every cell, as both kinds of features."""
        self.batches.append(len(inputs))
        self.seen += list(inputs)
        cells = F.avg_pool2d(torch.cat(list(inputs)), 16)
        return Features(cells, cells)


def block(size_hw: tuple[int, int], y0: int, x0: int, y1: int, x1: int) -> Rle:
    """A mask of one block."""
    pixels = np.zeros(size_hw, dtype=bool)
    pixels[y0:y1, x0:x1] = True
    return Rle.encode(pixels)


def test_a_crop_is_described_by_what_lies_under_the_mask() -> None:
    # a white square on black, and masks of the square and of a black one
    image = np.zeros((256, 256, 3), dtype=np.uint8)
    image[96:160, 96:160] = 255
    masks = [block((256, 256), 104, 104, 152, 152), block((256, 256), 16, 16, 64, 64)]
    features = CropEmbedder("vit_t", MeanColour()).embed(image, masks)
    assert features.dtype == np.float32
    # the outermost covered cells reach a little over the square's edge
    assert features[0] == pytest.approx(_WHITE, abs=0.05)
    assert features[1] == pytest.approx(_BLACK, abs=1e-4)


def test_the_crop_is_twice_the_box_and_cut_to_the_image() -> None:
    # marks in the corners of what must be seen: box 40..60 with side 20, so the crop is 30..70
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    image[30, 30] = image[69, 69] = 255
    encoder = MeanColour()
    CropEmbedder("vit_t", encoder).embed(image, [block((100, 100), 40, 40, 60, 60)])
    crop = encoder.seen[0][0, 0]
    assert crop.shape == (256, 256)
    assert crop[0, 0] == pytest.approx(_WHITE[0], abs=0.01)
    assert crop[255, 255] == pytest.approx(_WHITE[0], abs=0.01)


def test_each_mask_is_seen_straight_and_mirrored() -> None:
    image = np.random.default_rng(0).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
    encoder = MeanColour()
    CropEmbedder("vit_t", encoder).embed(image, [block((64, 64), 16, 16, 48, 48)])
    straight, mirrored = encoder.seen
    assert float((straight - mirrored.flip(-1)).abs().max()) <= 0.05  # resampling rounds to whole levels


def test_a_mirrored_image_has_the_same_vector() -> None:
    image = np.random.default_rng(1).integers(0, 256, size=(64, 64, 3), dtype=np.uint8)
    mask = block((64, 64), 10, 4, 40, 20)
    flipped = Rle.encode(mask.decode()[:, ::-1])
    embedder = CropEmbedder("vit_t", MeanColour())
    straight, mirrored = (
        embedder.embed(image, [mask]),
        embedder.embed(np.ascontiguousarray(image[:, ::-1]), [flipped]),
    )
    assert straight == pytest.approx(mirrored, abs=1e-3)


def test_a_batch_gives_what_its_masks_give_one_by_one() -> None:
    image = np.random.default_rng(2).integers(0, 256, size=(64, 96, 3), dtype=np.uint8)
    masks = [block((64, 96), i, 3 * i, i + 10, 3 * i + 12) for i in range(9)]
    encoder = MeanColour()
    together = CropEmbedder("vit_t", encoder).embed(image, masks)
    assert encoder.batches == [8, 8, 2]  # 9 masks, two views each
    alone = [CropEmbedder("vit_t", MeanColour()).embed(image, [m])[0] for m in masks]
    assert together == pytest.approx(np.stack(alone), abs=1e-5)


def test_one_pixel_in_a_corner_and_a_line_have_finite_vectors() -> None:
    image = np.random.default_rng(3).integers(0, 256, size=(50, 400, 3), dtype=np.uint8)
    masks = [block((50, 400), 49, 399, 50, 400), block((50, 400), 20, 0, 21, 400)]
    assert np.isfinite(CropEmbedder("vit_t", MeanColour()).embed(image, masks)).all()


def test_a_plain_vit_is_given_the_only_size_it_knows() -> None:
    encoder = MeanColour()
    image = np.zeros((32, 32, 3), dtype=np.uint8)
    CropEmbedder("vit_b", encoder).embed(image, [block((32, 32), 8, 8, 24, 24)])
    assert [tuple(x.shape) for x in encoder.seen] == [(1, 3, 1024, 1024)] * 2
    assert encoder.batches == [1, 1]


@pytest.mark.weights
@torch.inference_mode()
def test_mobilesam_gives_the_same_vector_to_a_mirrored_object(fp32: LoadedModel) -> None:
    image = street()
    mask = block((360, 640), 180, 128, 270, 288)
    embedder = CropEmbedder("vit_t", TorchEncoder(fp32.networks, Compute("cpu", "fp32")))
    straight = normalise(embedder.embed(image, [mask]))
    flipped = Rle.encode(mask.decode()[:, ::-1])
    mirrored = normalise(embedder.embed(np.ascontiguousarray(image[:, ::-1]), [flipped]))
    assert float((straight * mirrored).sum()) >= 0.999
