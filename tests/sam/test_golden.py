"""samdb's SAM against the official MobileSAM code, on real frames.

Tolerances: the embedding is stored as float16, so 2e-2 is allowed (measured 2.4e-4); tokens 1e-3 (1.4e-5);
masks IoU 0.999 (bit for bit equal on both frames). In bfloat16: cosine of the embedding 0.999 (measured
0.9996), tokens 0.998 in cosine (0.9984), masks IoU 0.95 where SAM predicts more than 0.8 (worst 0.966).

Automatic masks: float32 finds each stock mask again at IoU 0.99, 33 of 33 and 69 of 69. In bfloat16, where a
score beside a threshold falls to the other side, 90 % at IoU 0.9 (measured 94 %), the count within 10 % (6).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from samdb.core.masks import Rle, mask_iou
from samdb.core.prompt import Prompt
from samdb.sam.decoder import Attended
from samdb.sam.drawing import draw_mask
from samdb.sam.recipes import RECIPES
from samdb.sam.segmenter import SamImage
from tests.sam.material import GoldenFrame, LoadedModel

pytestmark = [pytest.mark.weights, pytest.mark.data]


@torch.inference_mode()
def ask(model: LoadedModel, golden: GoldenFrame) -> tuple[SamImage, Attended, list[list[NDArray[np.bool_]]]]:
    """The golden frame encoded, its boxes attended to, and all four masks of each."""
    image = model.segmenter.encode(golden.image)
    corners = image.frame.to_input(golden.boxes_xyxy.reshape(-1, 2, 2)).reshape(-1, 4)
    sparse = model.decoder.box_embeddings(torch.from_numpy(corners), None, None)
    state = model.decoder.attend(image.tokens, sparse)
    logits = model.decoder.draw(state, torch.ones(len(corners), 4, dtype=torch.bool))
    masks = []
    for four in logits.view(-1, 4, 256, 256):
        drawn = [draw_mask(image.frame, low_res) for low_res in four]
        masks.append([d.rle(image.size_hw).decode() for d in drawn if d is not None])
    return image, state, masks


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosines of the rows of a and b."""
    return np.asarray((a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)))


def test_box_prompts_give_the_official_embedding_tokens_and_masks(
    fp32: LoadedModel, golden: GoldenFrame
) -> None:
    image, state, masks = ask(fp32, golden)
    assert np.abs(image.features.neck.numpy() - golden.image_embedding).max() <= 2e-2
    assert np.abs(state.tokens.numpy() - golden.mask_tokens).max() <= 1e-3
    assert np.abs(state.predicted_iou.numpy() - golden.predicted_iou).max() <= 1e-3
    for ours, theirs in zip(masks, golden.masks, strict=True):
        assert min(iou(a, b) for a, b in zip(ours, theirs, strict=True)) >= 0.999


def test_the_segmenter_gives_the_official_masks_each_output_under_its_number(
    fp32: LoadedModel, golden: GoldenFrame
) -> None:
    image = fp32.segmenter.encode(golden.image)
    boxes = [tuple(float(v) for v in box) for box in golden.boxes_xyxy]
    answers = fp32.segmenter.prompt(image, [Prompt(box_xyxy=box) for box in boxes])  # type: ignore[arg-type]
    for row, candidates in enumerate(answers):
        assert candidates[0].output == 0
        for c in candidates:
            assert iou(c.mask.decode(), golden.masks[row, c.output]) >= 0.999
            assert c.predicted_iou == pytest.approx(golden.predicted_iou[row, c.output], abs=1e-3)
        assert np.abs(candidates[0].tokens - golden.mask_tokens[row]).max() <= 1e-3


@pytest.mark.slow
@pytest.mark.timeout(1200)  # half a minute on two quiet cores
def test_automatic_masks_are_those_of_the_stock_generator(fp32: LoadedModel, golden: GoldenFrame) -> None:
    ours = fp32.segmenter.automatic(fp32.segmenter.encode(golden.image))
    best = mask_iou(list(golden.automatic), [m.mask for m in ours]).max(axis=1)
    assert (best >= 0.95).mean() >= 0.98
    assert abs(len(ours) - len(golden.automatic)) <= 0.03 * len(golden.automatic)


def test_bfloat16_stays_close_to_the_official_embedding_tokens_and_masks(
    bf16: LoadedModel, golden: GoldenFrame
) -> None:
    image, state, masks = ask(bf16, golden)
    assert cosine(image.features.neck.numpy().ravel(), golden.image_embedding.ravel()) >= 0.999
    assert cosine(state.tokens.numpy(), golden.mask_tokens).min() >= 0.998
    for row, (ours, theirs) in enumerate(zip(masks, golden.masks, strict=True)):
        sure = golden.predicted_iou[row] > 0.8
        assert min(iou(a, b) for a, b, s in zip(ours, theirs, sure, strict=True) if s) >= 0.95


def test_bfloat16_moves_an_embedding_by_less_than_a_thousandth(
    fp32: LoadedModel, bf16: LoadedModel, golden: GoldenFrame
) -> None:
    """Why a fingerprint leaves the precision out (worst measured: token, 0.99929)."""
    images = [model.segmenter.encode(golden.image) for model in (fp32, bf16)]
    boxes = [Rle.encode(masks[0]).box_xyxy for masks in golden.masks]
    candidates = [
        c for row in fp32.segmenter.prompt(images[0], [Prompt(box_xyxy=b) for b in boxes]) for c in row
    ]
    # as masks of the grid, so that each segmenter asks for tokens itself
    asked = [dataclasses.replace(c, prompt_kind="grid") for c in candidates]
    recipes = [name for name in RECIPES if name != "semantic"]  # another network: tests/sam/test_semantic.py
    exact = fp32.segmenter.embed(images[0], asked, recipes)
    quick = bf16.segmenter.embed(images[1], asked, recipes)
    for a, b in zip(exact, quick, strict=True):
        assert min(float(a[name] @ b[name]) for name in recipes) >= 0.999


@pytest.mark.slow
@pytest.mark.timeout(1200)  # half a minute on two quiet cores
def test_bfloat16_finds_nearly_all_automatic_masks(bf16: LoadedModel, golden: GoldenFrame) -> None:
    ours = bf16.segmenter.automatic(bf16.segmenter.encode(golden.image))
    best = mask_iou(list(golden.automatic), [m.mask for m in ours]).max(axis=1)
    assert (best >= 0.9).mean() >= 0.9
    assert abs(len(ours) - len(golden.automatic)) <= 0.1 * len(golden.automatic)


def test_the_goldens_masks_are_what_their_file_says(golden: GoldenFrame) -> None:
    """The comparison would prove nothing if the goldens were read askew."""
    tight = Rle.encode(golden.masks[0, 0]).box_xyxy
    x0, y0, x1, y1 = golden.boxes_xyxy[0]
    assert np.abs(np.array(tight) - (x0, y0, x1, y1)).max() < 0.25 * max(x1 - x0, y1 - y0)
