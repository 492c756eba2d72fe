"""The segmenter: encode an image once, then ask it for masks and embeddings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samdb.core.masks import Rle
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.vectors import Vector, normalise
from samdb.errors import ImageError, InputError, ModelError
from samdb.ports import EncodedImage
from samdb.sam.automatic import AutomaticSettings, View, generate_masks
from samdb.sam.checkpoints import weights_fingerprint
from samdb.sam.crops import CropEmbedder
from samdb.sam.decoder import Attended, Decoder, ImageTokens
from samdb.sam.device import Compute
from samdb.sam.drawing import draw_mask
from samdb.sam.encoder import Features, ImageEncoder, TorchEncoder
from samdb.sam.frame import Frame
from samdb.sam.networks import GRID, Networks
from samdb.sam.pooling import box_coverage, coverage, pool
from samdb.sam.prompting import embed_prompts, same_shape
from samdb.sam.recipes import Recipe, check_recipes

#: prompts decoded together: larger batches fall out of a CPU's cache (8-16 measured best there)
_CPU_BATCH, _GPU_BATCH = 16, 128
#: a multimask output this similar to a better one is the same mask again
_SAME_MASK_IOU = 0.9


@dataclass(frozen=True, slots=True)
class SamImage:
    """An encoded image: the RGB image (H, W, 3), its frame, its features and the decoder's shared tokens."""

    image: NDArray[np.uint8]
    frame: Frame
    features: Features
    tokens: ImageTokens

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's (height, width) in px."""
        return self.frame.size_hw


class SamSegmenter:
    """Segment Anything on one device (the `Segmenter` port).

    `min_predicted_iou` is the least quality a multimask output needs to be drawn at all when prompting; the
    single-mask output is always drawn.
    """

    def __init__(
        self,
        networks: Networks,
        compute: Compute,
        *,
        weights_sha256: str,
        automatic: AutomaticSettings | None = None,
        min_predicted_iou: float = 0.75,
        encoder: ImageEncoder | None = None,
    ) -> None:
        self.model = networks.model
        self._encoder = encoder or TorchEncoder(networks, compute)
        self._decoder = Decoder(networks, compute)
        self._crops = CropEmbedder(networks.model, self._encoder)
        self._automatic = automatic or AutomaticSettings()
        self._min_predicted_iou = min_predicted_iou
        self._batch_size = _CPU_BATCH if compute.device == "cpu" else _GPU_BATCH
        self._weights_sha256 = weights_sha256

    @property
    def fingerprint(self) -> str:
        """The model and its weights: what decides whether two vectors can be compared.

        Runtime and precision are left out on purpose: they move a vector by less than 1e-3 in cosine, and a
        laptop must be able to search what a GPU machine ingested.
        """
        return weights_fingerprint(self.model, self._weights_sha256)

    @property
    def automatic_fingerprint(self) -> str:
        """The generator's settings."""
        return repr(self._automatic)

    @torch.inference_mode()
    def encode(self, image: NDArray[np.uint8]) -> SamImage:
        """Encode an RGB image (H, W, 3) uint8. Raises ImageError on anything else."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ImageError(f"an image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
        frame = Frame((image.shape[0], image.shape[1]))
        features = self._encoder([frame.tensor(image)])
        return SamImage(image, frame, features, self._decoder.share(features.neck))

    @torch.inference_mode()
    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt its masks: the single-mask output first when it is not empty, then the multimask
        outputs that are good enough and differ from it and from each other.
        """
        image = _own(image)
        answers: list[list[MaskCandidate]] = [[] for _ in prompts]
        groups: dict[tuple[bool, int, bool], list[int]] = defaultdict(list)
        for i, prompt in enumerate(prompts):
            groups[same_shape(prompt)].append(i)
        for indices in groups.values():
            for start in range(0, len(indices), self._batch_size):
                batch = indices[start : start + self._batch_size]
                asked = [prompts[i] for i in batch]
                state = self._attend(image, asked)
                for i, candidates in zip(batch, self._candidates(image, asked, state), strict=True):
                    answers[i] = candidates
        return answers

    @torch.inference_mode()
    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """All masks of the image from a grid of points, best predicted IoU first."""
        image = _own(image)
        found = generate_masks(
            image.image,
            View(image.frame, image.features),
            self._decoder,
            self._encode_crop,
            self._automatic,
            self._batch_size,
        )
        no_tokens = np.zeros((0, 0), dtype=np.float32)
        return [
            MaskCandidate(
                mask=m.drawn.rle(image.size_hw),
                box_xyxy=m.drawn.box_xyxy,
                area_px=m.drawn.area_px,
                predicted_iou=m.predicted_iou,
                stability_score=m.drawn.stability_score,
                output=m.output,
                tokens=no_tokens,
                prompt_kind="grid",
            )
            for m in found
        ]

    @torch.inference_mode()
    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings, recipe -> unit-norm float32 vector (D,).

        Raises InputError on a mask that is empty or of another image's size.
        """
        image = _own(image)
        wanted = check_recipes(recipes)
        if not masks:
            return []
        for candidate in masks:
            _check_mask(candidate.mask, image.size_hw)
        parts = {name for r in wanted for name in (r.parts or (r.name,))}
        rows: dict[str, NDArray[np.float32]] = {}
        weights = [coverage(m.mask, image.frame, GRID) for m in masks] if parts & {"neck", "backbone"} else []
        if "neck" in parts:
            rows["neck"] = normalise(pool(image.features.neck[0].cpu().numpy(), weights))
        if "neck_box" in parts:
            boxes = [box_coverage(m.box_xyxy, image.frame, GRID) for m in masks]
            rows["neck_box"] = normalise(pool(image.features.neck[0].cpu().numpy(), boxes))
        if "backbone" in parts:
            rows["backbone"] = normalise(pool(image.features.backbone[0].cpu().numpy(), weights))
        if parts & {"token", "tokens"}:
            tokens = self._box_tokens(image, masks)
            rows["token"] = normalise(tokens[:, 0])
            rows["tokens"] = normalise(tokens.reshape(len(masks), -1))
        if "crop" in parts:
            rows["crop"] = normalise(self._crops.embed(image.image, [m.mask for m in masks]))
        return [{r.name: _row(r, rows, i) for r in wanted} for i in range(len(masks))]

    def is_sub_cell(self, mask: Rle) -> bool:
        """Whether the mask covers less than one cell of the feature grid."""
        ih, iw = Frame(mask.size_hw).input_hw
        cells_per_px2 = (
            (ih / mask.size_hw[0]) * (iw / mask.size_hw[1]) * (GRID / Frame(mask.size_hw).square) ** 2
        )
        return mask.area_px * cells_per_px2 < 1.0

    def image_vector(self, image: EncodedImage) -> Vector:
        """One vector (256,) for the whole image: the mean of its image embedding, padding left out."""
        image = _own(image)
        ih, iw = image.frame.input_hw
        rows, cols = -(-ih * GRID // image.frame.square), -(-iw * GRID // image.frame.square)
        return normalise(image.features.neck[0, :, :rows, :cols].mean(dim=(1, 2)).cpu().numpy())

    def _attend(self, image: SamImage, prompts: Sequence[Prompt]) -> Attended:
        sparse, dense = embed_prompts(self._decoder, image.frame, prompts)
        tokens = image.tokens if dense is None else self._decoder.share(image.features.neck, dense)
        return self._decoder.attend(tokens, sparse)

    def _candidates(
        self, image: SamImage, prompts: Sequence[Prompt], state: Attended
    ) -> list[list[MaskCandidate]]:
        worth = state.predicted_iou >= self._min_predicted_iou
        worth[:, 0] = True
        logits = self._decoder.draw(state, worth, image.frame.cells_hw)
        positions = worth.nonzero().tolist()
        answers: list[list[MaskCandidate]] = [[] for _ in prompts]
        for row, prompt in enumerate(prompts):
            drawn = [(logits[i], output) for i, (r, output) in enumerate(positions) if r == row]
            quality = state.predicted_iou[row].tolist()
            for low_res, output in _distinct(drawn, quality):
                mask = draw_mask(image.frame, low_res)
                if mask is None:
                    continue
                answers[row].append(
                    MaskCandidate(
                        mask=mask.rle(image.size_hw),
                        box_xyxy=mask.box_xyxy,
                        area_px=mask.area_px,
                        predicted_iou=quality[output],
                        stability_score=mask.stability_score,
                        output=output,
                        tokens=state.tokens[row].cpu().numpy(),
                        prompt_kind=prompt.kind,
                    )
                )
        return answers

    def _box_tokens(self, image: SamImage, masks: Sequence[MaskCandidate]) -> NDArray[np.float32]:
        """The four mask tokens (N, 4, 256) for each mask's box.

        A grid point's tokens describe the point's ambiguity, not the mask: asking once more with the mask's
        own box (a few ms) puts every segment's tokens into the space that the bank was built in.
        """
        tokens = [m.tokens if m.prompt_kind == "box" and m.output == 0 else None for m in masks]
        again = [i for i, t in enumerate(tokens) if t is None]
        for start in range(0, len(again), self._batch_size):
            batch = again[start : start + self._batch_size]
            state = self._attend(image, [Prompt(box_xyxy=masks[i].box_xyxy) for i in batch])
            for i, row in zip(batch, state.tokens.cpu().numpy(), strict=True):
                tokens[i] = row
        return np.stack([t for t in tokens if t is not None])

    def _encode_crop(self, crop: NDArray[np.uint8]) -> View:
        encoded = self.encode(crop)
        return View(encoded.frame, encoded.features)


def _check_mask(mask: Rle, size_hw: tuple[int, int]) -> None:
    if mask.size_hw != size_hw:
        raise InputError(f"the mask is {mask.size_hw} px (H, W) but the image is {size_hw}; resize the mask")
    if mask.area_px == 0:
        raise InputError("an empty mask has no embedding: leave it out")


def _own(image: EncodedImage) -> SamImage:
    if not isinstance(image, SamImage):
        raise ModelError("this image was encoded by another segmenter; encode it with this one")
    return image


def _distinct(drawn: list[tuple[Tensor, int]], quality: list[float]) -> list[tuple[Tensor, int]]:
    """Drop multimask outputs that repeat the single mask or a better multimask output."""
    ordered = sorted(drawn, key=lambda item: (item[1] != 0, -quality[item[1]]))
    kept: list[tuple[Tensor, int]] = []
    for low_res, output in ordered:
        mask = low_res > 0
        if all(_iou(mask, other > 0) < _SAME_MASK_IOU for other, _ in kept):
            kept.append((low_res, output))
    return kept


def _iou(a: Tensor, b: Tensor) -> float:
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 1.0


def _row(recipe: Recipe, rows: Mapping[str, NDArray[np.float32]], i: int) -> Vector:
    if recipe.parts:
        return normalise(np.concatenate([factor * rows[part][i] for part, factor in recipe.parts.items()]))
    return np.asarray(rows[recipe.name][i], dtype=np.float32)
