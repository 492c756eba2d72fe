"""The segmenter on a drawn street, with the real weights: masks, embeddings, and what it refuses."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.masks import Rle, mask_iou
from samdb.core.prompt import NO_TOKENS, MaskCandidate, Prompt
from samdb.core.vectors import check_embedding
from samdb.errors import ConfigError, DeviceMemoryError, ImageError, InputError, ModelError
from samdb.ports import Segmenter
from samdb.sam.device import Compute
from samdb.sam.encoder import Features
from samdb.sam.recipes import RECIPES, layout_dims
from samdb.sam.segmenter import SamImage, SamSegmenter
from tests.sam.material import LoadedModel, street

pytestmark = pytest.mark.weights

SIZE_HW = (360, 640)
VAN = (128.0, 180.0, 288.0, 270.0)
ALL = tuple(name for name in RECIPES if name != "semantic")  # SAM's own; the other: test_semantic.py


def block(x0: int, y0: int, x1: int, y1: int, size_hw: tuple[int, int] = SIZE_HW) -> Rle:
    """A mask of one block."""
    pixels = np.zeros(size_hw, dtype=bool)
    pixels[y0:y1, x0:x1] = True
    return Rle.encode(pixels)


def candidate(mask: Rle) -> MaskCandidate:
    """A mask as the grid would give it."""
    return MaskCandidate(mask, mask.box_xyxy, mask.area_px, 0.9, 0.9, 1, NO_TOKENS, "grid")


@pytest.fixture(scope="module")
def sam(fp32: LoadedModel) -> SamSegmenter:
    """The segmenter."""
    return fp32.segmenter


@pytest.fixture(scope="module")
def image(sam: SamSegmenter) -> SamImage:
    """The street, encoded."""
    return sam.encode(street())


VAN_MASK = block(128, 180, 288, 270)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(box_xyxy=VAN),
        Prompt(points_xy=((208.0, 225.0),), foreground=(True,)),
        Prompt(mask=VAN_MASK),
        Prompt(box_xyxy=VAN, points_xy=((208.0, 225.0), (400.0, 300.0)), foreground=(True, False)),
        Prompt(mask=VAN_MASK, points_xy=((208.0, 225.0),), foreground=(True,)),
    ],
    ids=["box", "point", "mask", "box and points", "mask and point"],
)
def test_however_it_is_asked_for_the_van_is_found(sam: SamSegmenter, image: SamImage, prompt: Prompt) -> None:
    (candidates,) = sam.prompt(image, [prompt])
    assert mask_iou([c.mask for c in candidates], [VAN_MASK]).max() > 0.9
    for c in candidates:
        assert c.prompt_kind == prompt.kind
        assert c.mask.size_hw == SIZE_HW
        assert c.box_xyxy == c.mask.box_xyxy
        assert c.area_px == c.mask.area_px > 0
        assert 0 <= c.stability_score <= 1


def test_a_background_point_takes_the_van_away(sam: SamSegmenter, image: SamImage) -> None:
    # a box around van and road: the point says that the van is not meant
    around = (100.0, 150.0, 400.0, 340.0)
    without = Prompt(box_xyxy=around, points_xy=((208.0, 225.0),), foreground=(False,))
    (candidates,) = sam.prompt(image, [without])
    assert not candidates[0].mask.decode()[225, 208]


def test_the_single_mask_comes_first_and_no_mask_twice(sam: SamSegmenter, image: SamImage) -> None:
    (candidates,) = sam.prompt(image, [Prompt(points_xy=((208.0, 225.0),), foreground=(True,))])
    assert candidates[0].output == 0
    assert len({c.output for c in candidates}) == len(candidates)
    masks = [c.mask for c in candidates]
    # 0.9 is judged on the low-resolution masks
    assert (mask_iou(masks, masks) - np.eye(len(masks))).max() < 0.93


def test_prompts_of_all_kinds_are_answered_in_their_order(sam: SamSegmenter, image: SamImage) -> None:
    disc = Prompt(points_xy=((512.0, 72.0),), foreground=(True,))
    prompts = [Prompt(box_xyxy=VAN), disc, Prompt(mask=VAN_MASK), disc, Prompt(box_xyxy=VAN)]
    together = sam.prompt(image, prompts)
    alone = [sam.prompt(image, [p])[0] for p in prompts]
    for a, b in zip(together, alone, strict=True):
        assert [c.output for c in a] == [c.output for c in b]
        assert all(mask_iou([x.mask], [y.mask])[0, 0] > 0.99 for x, y in zip(a, b, strict=True))


def test_no_prompts_give_no_answers(sam: SamSegmenter, image: SamImage) -> None:
    assert sam.prompt(image, []) == []


def test_no_masks_give_no_embeddings(sam: SamSegmenter, image: SamImage) -> None:
    assert sam.embed(image, [], ["neck"]) == []


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((4, 4, 3), dtype=np.uint16),
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused_with_what_it_is(sam: SamSegmenter, bad: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match=r"must be \(H, W, 3\) uint8 RGB, got"):
        sam.encode(bad)


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (Prompt(mask=block(0, 0, 5, 5, (10, 10))), "resize the mask"),
        (Prompt(mask=block(0, 0, 0, 0)), "empty mask"),
        (Prompt(box_xyxy=(0.0, 0.0, math.nan, 10.0)), "not a finite number"),
        (Prompt(box_xyxy=(20.0, 0.0, 10.0, 10.0)), "inverted"),
        (Prompt(points_xy=((math.inf, 1.0),), foreground=(True,)), "finite"),
    ],
)
def test_a_prompt_that_would_give_nonsense_is_refused(
    sam: SamSegmenter, image: SamImage, prompt: Prompt, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        sam.prompt(image, [prompt])


def test_every_embedding_is_a_unit_vector_of_its_dimension(sam: SamSegmenter, image: SamImage) -> None:
    candidates = sam.prompt(image, [Prompt(box_xyxy=VAN)])[0] + [candidate(block(300, 300, 330, 320))]
    dims = layout_dims("vit_t")
    for embeddings in sam.embed(image, candidates, ALL):
        assert list(embeddings) == list(ALL)
        for name, vector in embeddings.items():
            check_embedding(name, vector)
            assert vector.shape == (dims[name],)


def test_the_cosine_of_a_fused_recipe_is_its_parts_weighted_mean(sam: SamSegmenter, image: SamImage) -> None:
    a, b = sam.embed(image, [candidate(VAN_MASK), candidate(block(400, 20, 600, 120))], ALL)
    factors = RECIPES["blend"].parts
    total = sum(f**2 for f in factors.values())
    mean = sum(f**2 * float(a[part] @ b[part]) for part, f in factors.items()) / total
    assert float(a["blend"] @ b["blend"]) == pytest.approx(mean, abs=1e-5)


def test_only_the_single_mask_of_a_box_has_tokens_at_once(sam: SamSegmenter, image: SamImage) -> None:
    x0, y0, x1, y1 = VAN
    middle = Prompt(points_xy=(((x0 + x1) / 2, (y0 + y1) / 2),), foreground=(True,))
    of_box, of_point = sam.prompt(image, [Prompt(box_xyxy=VAN), middle])
    assert [c.tokens.shape for c in of_box] == [(4, 256) if c.output == 0 else (0, 0) for c in of_box]
    assert {c.tokens.shape for c in of_point} == {(0, 0)}


def test_the_tokens_of_a_box_prompt_are_kept_and_those_of_any_other_mask_asked_for_anew(
    sam: SamSegmenter, image: SamImage
) -> None:
    single = sam.prompt(image, [Prompt(box_xyxy=VAN)])[0][0]
    asked = dataclasses.replace(single, tokens=NO_TOKENS, box_xyxy=VAN)
    kept, anew = sam.embed(image, [single, asked], ["token", "tokens"])
    assert float(kept["tokens"] @ anew["tokens"]) == pytest.approx(1.0, abs=1e-5)
    assert single.tokens[0] / np.linalg.norm(single.tokens[0]) == pytest.approx(kept["token"], abs=1e-6)


@pytest.mark.parametrize("mask", [block(639, 359, 640, 360), block(0, 100, 640, 101), block(7, 0, 8, 360)])
def test_a_pixel_and_a_line_have_embeddings_that_are_not_nan(
    sam: SamSegmenter, image: SamImage, mask: Rle
) -> None:
    (embeddings,) = sam.embed(image, [candidate(mask)], ALL)
    for name, vector in embeddings.items():
        check_embedding(name, vector)


def test_an_empty_mask_or_one_of_another_image_has_no_embedding(sam: SamSegmenter, image: SamImage) -> None:
    with pytest.raises(InputError, match="empty mask"):
        sam.embed(image, [candidate(block(0, 0, 0, 0))], ["neck"])
    with pytest.raises(InputError, match="resize the mask"):
        sam.embed(image, [candidate(block(0, 0, 5, 5, (10, 10)))], ["neck"])


def test_the_baseline_recipe_reads_the_whole_bounding_box(sam: SamSegmenter, image: SamImage) -> None:
    corners = np.zeros(SIZE_HW, dtype=bool)
    corners[180:190, 128:140] = corners[260:270, 280:288] = True  # two corners of the van's box
    (two,) = sam.embed(image, [candidate(Rle.encode(corners))], ["neck", "neck_box"])
    (full,) = sam.embed(image, [candidate(VAN_MASK)], ["neck", "neck_box"])
    assert float(two["neck_box"] @ full["neck"]) == pytest.approx(1.0, abs=1e-5)
    assert float(two["neck"] @ full["neck"]) < 0.99


def test_an_image_that_another_segmenter_encoded_is_refused(sam: SamSegmenter) -> None:
    class Foreign:
        size_hw = SIZE_HW

        def similarity(self, mask: Rle) -> NDArray[np.float32]:
            return np.zeros(self.size_hw, dtype=np.float32)

    with pytest.raises(ModelError, match="encode it with this one"):
        sam.prompt(Foreign(), [Prompt(box_xyxy=VAN)])


def test_an_unknown_recipe_is_refused(sam: SamSegmenter, image: SamImage) -> None:
    with pytest.raises(ConfigError, match="unknown recipe 'nose'"):
        sam.embed(image, [candidate(VAN_MASK)], ["nose"])


def test_similar_places_are_closer_than_different_ones(sam: SamSegmenter, image: SamImage) -> None:
    sky = [candidate(block(20, 20, 100, 100)), candidate(block(300, 20, 380, 100))]
    left, right, van = sam.embed(image, [*sky, candidate(VAN_MASK)], ["neck", "backbone"])
    for recipe in ("neck", "backbone"):
        assert left[recipe] @ right[recipe] > left[recipe] @ van[recipe]


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 3000), (2500, 1), (3, 2)])
def test_the_smallest_and_thinnest_images_are_segmented_without_nan(
    sam: SamSegmenter, size_hw: tuple[int, int]
) -> None:
    height, width = size_hw
    thin = sam.encode(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))
    whole = block(0, 0, width, height, size_hw)
    prompts = [Prompt(box_xyxy=(0.0, 0.0, float(width), float(height))), Prompt(mask=whole)]
    for candidates in sam.prompt(thin, prompts):
        for c in candidates:
            assert c.mask.size_hw == size_hw
            assert math.isfinite(c.predicted_iou + c.stability_score)
    (embeddings,) = sam.embed(thin, [candidate(whole)], ALL)
    for name, vector in embeddings.items():
        check_embedding(name, vector)
    check_embedding("image", sam.image_vector(thin))


def test_a_mask_of_less_than_a_cell_is_told(sam: SamSegmenter) -> None:
    # a cell of a 720p frame is 20 x 20 px
    frame = (720, 1280)
    assert sam.is_sub_cell(block(100, 100, 119, 120, frame))
    assert not sam.is_sub_cell(block(100, 100, 120, 120, frame))


def test_the_fingerprint_names_model_and_weights_and_not_the_machine(
    fp32: LoadedModel, sam: SamSegmenter
) -> None:
    other = SamSegmenter(fp32.networks, Compute("cpu", "fp32"), weights_sha256="other weights")
    assert sam.fingerprint.startswith("vit_t-")
    assert other.fingerprint != sam.fingerprint


def test_images_encoded_together_are_encoded_as_they_are_alone(sam: SamSegmenter) -> None:
    pictures = [street(), street(64, 48), street(300, 90)]
    together = sam.encode_batch([sam.prepare(picture) for picture in pictures])
    assert [image.size_hw for image in together] == [(360, 640), (64, 48), (300, 90)]
    for picture, image in zip(pictures, together, strict=True):
        assert float(sam.image_vector(image) @ sam.image_vector(sam.encode(picture))) > 1 - 1e-5
        whole = Rle.encode(np.ones(image.size_hw, dtype=bool))
        (got,), (wanted,) = (
            sam.embed(i, [candidate(whole)], ["blend"]) for i in (image, sam.encode(picture))
        )
        assert float(got["blend"] @ wanted["blend"]) > 1 - 1e-5


def test_no_images_are_no_batch(sam: SamSegmenter) -> None:
    assert sam.encode_batch([]) == []


def test_what_another_segmenter_prepared_is_refused(sam: SamSegmenter) -> None:
    class Foreign:
        size_hw = SIZE_HW

    with pytest.raises(ModelError, match="prepare it with this one"):
        sam.encode_batch([Foreign()])


def test_a_description_asks_sam_nothing_more(
    sam: SamSegmenter, image: SamImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = [*sam.prompt(image, [Prompt(box_xyxy=VAN)])[0], candidate(block(400, 20, 600, 120))]
    description = sam.describe(image, masks, ALL)
    wanted = sam.embed(image, masks, ALL)
    monkeypatch.setattr(sam, "_encoder", None)
    monkeypatch.setattr(sam, "_decoder", None)
    for got, again in zip(description.embeddings(), wanted, strict=True):
        assert got.keys() == again.keys()
        for name in ALL:
            assert got[name] == pytest.approx(again[name], abs=1e-6)


@pytest.mark.parametrize(
    "said", ["CUDA out of memory. Tried to allocate 2 GiB", "DefaultCPUAllocator: can't allocate memory: 9"]
)
def test_a_device_whose_memory_is_full_is_said_as_an_error_of_samdb(fp32: LoadedModel, said: str) -> None:
    class Full:
        name = "full"

        def __call__(self, inputs: Sequence[Tensor]) -> Features:
            raise RuntimeError(said)

    full = SamSegmenter(fp32.networks, Compute("cpu", "fp32"), weights_sha256="x", encoder=Full())
    with pytest.raises(DeviceMemoryError, match=r"too little memory .* choose a smaller --model"):
        full.encode(street())


def test_it_fills_the_port(sam: SamSegmenter) -> None:
    port: Segmenter = sam
    assert port.model == "vit_t"
