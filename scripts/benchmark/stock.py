"""The peer: stock `segment_anything` behind samdb's Segmenter port, with its own defaults.

`SamPredictor` and `SamAutomaticMaskGenerator` do what a user of them would have them do: fp32, torch's
default layout and allocator, 64 points per batch, all of an image's boxes in one call. Everything around SAM
(reading, nesting, pooling, writing, classifying) is samdb's own for both sides, so that the ratio is about
SAM. Where samdb needs more than the predictor hands out, it is kept by hooks while the stock code computes it
anyway: the single-mask output and the mask tokens of the same decoder pass, the features before the neck.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator, SamPredictor
from torch import Tensor

from samdb.core.masks import Rle
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.vectors import Vector, normalise
from samdb.errors import ModelError
from samdb.ports import EncodedImage, PreparedImage
from samdb.sam.frame import Frame
from samdb.sam.networks import GRID
from samdb.sam.pooling import coverage
from samdb.sam.recipes import RECIPES
from scripts.benchmark.stock_masks import distinct_outputs, generated_mask, prompted_mask


@dataclass(slots=True)
class StockImage:
    """An image and, once it was encoded, its predictor and the features (1, C, 64, 64) before the neck."""

    pixels: NDArray[np.uint8]
    predictor: Any
    backbone: Tensor | None = None

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's (height, width) in px."""
        return (self.pixels.shape[0], self.pixels.shape[1])

    def similarity(self, mask: Rle) -> NDArray[np.float32]:
        """Stock segment_anything draws no such map, so there is nothing to compare."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class StockDescription:
    """What samdb's pooling needs of masks: `features` (C, 64, 64) by recipe, `tokens` (N, 256) or None."""

    size_hw: tuple[int, int]
    masks: tuple[MaskCandidate, ...]
    recipes: tuple[str, ...]
    features: Mapping[str, NDArray[np.float32]]
    tokens: NDArray[np.float32] | None

    def embeddings(self) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings (recipe -> unit-norm float32 vector), pooled as samdb does."""
        if not self.masks:
            return []
        weights = [coverage(m.mask, Frame(self.size_hw), GRID) for m in self.masks]
        rows = {part: normalise(_pool(features, weights)) for part, features in self.features.items()}
        if self.tokens is not None:
            rows["token"] = normalise(self.tokens)
        return [{name: _row(name, rows, i) for name in self.recipes} for i in range(len(self.masks))]


class StockSegmenter:
    """Stock SAM as a `Segmenter`.

    An image is encoded when it is first needed: the stock generator encodes by itself, and twice would not be
    fair. `n_prompts` counts what the decoder was asked, `n_encoded` the images.
    """

    automatic_fingerprint = "stock"
    batch_size = 1

    def __init__(self, sam: Any, model: str, fingerprint: str, points_per_side: int) -> None:
        self.model, self.fingerprint = model, fingerprint
        self.sam = sam
        self.generator = SamAutomaticMaskGenerator(sam, points_per_side=points_per_side)
        self._points_per_side = points_per_side
        self.n_prompts = self.n_encoded = 0
        self._lock = threading.RLock()  # the stock code is made for one thread
        self._seen: dict[str, Any] = {}
        self._wants_masks = False
        self._listen()

    def encode(self, image: NDArray[np.uint8]) -> StockImage:
        """Take an RGB image (H, W, 3); the encoder runs on first use."""
        return StockImage(image, SamPredictor(self.sam))

    def prepare(self, image: NDArray[np.uint8]) -> StockImage:
        """The stock predictor scales and encodes in one call: nothing to do before."""
        return self.encode(image)

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """The stock predictor takes one image at a time."""
        return [_own(image) for image in images]

    def ensure_encoded(self, image: StockImage) -> None:
        """Run the encoder unless it has run for this image."""
        with self._lock:
            if image.backbone is None:
                image.predictor.set_image(image.pixels)
                image.backbone = self._seen["backbone"]

    def warm_up(self, pixels: NDArray[np.uint8]) -> None:
        """Run everything once, with one batch of 64 points instead of 16: a minute saved."""
        small = SamAutomaticMaskGenerator(self.sam, points_per_side=min(8, self._points_per_side))
        small.generate(pixels)

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt (boxes only) its masks, the single-mask output first."""
        image = _own(image)
        with self._lock, torch.no_grad():
            self.ensure_encoded(image)
            if not prompts:
                return []
            boxes = self._boxes(image, [p.box_xyxy for p in prompts])
            self._wants_masks = True
            masks, _, _ = image.predictor.predict_torch(
                None, None, boxes=boxes, multimask_output=True, return_logits=True
            )
            self._wants_masks = False
            low_res, quality = self._seen.pop("masks")
            tokens = self._seen["tokens"].cpu().numpy()
            single = self.sam.postprocess_masks(
                low_res[:, :1], image.predictor.input_size, image.predictor.original_size
            )
            answers = []
            for row in range(len(prompts)):
                kept = distinct_outputs(low_res[row], quality[row])
                drawn = [single[row, 0] if o == 0 else masks[row, o - 1] for o in kept]
                found = [
                    prompted_mask(logits, output, float(quality[row, output]), tokens[row])
                    for logits, output in zip(drawn, kept, strict=True)
                ]
                answers.append([c for c in found if c is not None])
            return answers

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """What the stock generator finds, as it comes (about 1 ms a mask is added by encoding it)."""
        image = _own(image)
        with self._lock:
            records = self.generator.generate(image.pixels)
            self._keep(image, self._seen["neck"])
        return [generated_mask(record) for record in records]

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> StockDescription:
        """Ask the decoder for the tokens that the recipes need: `neck`, `backbone`, `token` and `blend`."""
        image = _own(image)
        parts = {part for name in recipes for part in (RECIPES[name].parts or (name,))}
        if parts - {"neck", "backbone", "token"}:
            raise ModelError("the benchmark's stock side knows the recipes neck, backbone, token and blend")
        with self._lock, torch.no_grad():
            self.ensure_encoded(image)
            tokens = self._box_tokens(image, masks)[:, 0] if masks and "token" in parts else None
        assert image.backbone is not None  # it has been through the encoder
        features = {"neck": image.predictor.features, "backbone": image.backbone}
        pooled = {part: features[part][0].cpu().numpy() for part in parts & {"neck", "backbone"}}
        return StockDescription(image.size_hw, tuple(masks), tuple(recipes), pooled, tokens)

    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings."""
        return self.describe(image, masks, recipes).embeddings()

    def image_vector(self, image: EncodedImage) -> Vector:
        """The mean of the image embedding (256,), padding left out."""
        image = _own(image)
        with self._lock:
            self.ensure_encoded(image)
            rows, cols = (-(-v // 16) for v in Frame(image.size_hw).input_hw)
            return normalise(image.predictor.features[0, :, :rows, :cols].mean(dim=(1, 2)).cpu().numpy())

    def is_sub_cell(self, mask: Rle) -> bool:
        """Whether the mask covers less than one cell of the feature grid."""
        height, width = Frame(mask.size_hw).input_hw
        return mask.area_px * (height / mask.size_hw[0]) * (width / mask.size_hw[1]) < 16 * 16

    def _listen(self) -> None:
        """Keep what the networks compute anyway."""
        seen, decoder = self._seen, self.sam.mask_decoder
        self.sam.image_encoder.neck.register_forward_pre_hook(
            lambda _, inputs: seen.update(backbone=inputs[0])
        )

        def encoded(_: Any, __: Any, neck: Tensor) -> None:
            self.n_encoded += len(neck)
            seen.update(neck=neck)

        self.sam.image_encoder.register_forward_hook(encoded)
        decoder.transformer.register_forward_hook(lambda _, __, out: seen.update(tokens=out[0][:, 1:5]))
        predict = decoder.predict_masks

        def predict_masks(*args: Any, **kwargs: Any) -> Any:
            found = predict(*args, **kwargs)
            self.n_prompts += len(found[1])
            if self._wants_masks:  # 1 MB a prompt: kept for longer, they would count as the peer's memory
                seen["masks"] = found
            return found

        decoder.predict_masks = predict_masks

    def _keep(self, image: StockImage, neck: Tensor) -> None:
        """The generator forgets its image when it is done: the next steps go on from what it computed."""
        predictor = image.predictor
        predictor.features, predictor.original_size = neck, image.size_hw
        predictor.input_size, predictor.is_image_set = Frame(image.size_hw).input_hw, True
        image.backbone = self._seen["backbone"]

    def _boxes(self, image: StockImage, boxes: Sequence[Any]) -> Tensor:
        given = torch.tensor(boxes, dtype=torch.float32, device=self.sam.device)
        moved: Tensor = image.predictor.transform.apply_boxes_torch(given, image.size_hw)
        return moved

    def _box_tokens(self, image: StockImage, masks: Sequence[MaskCandidate]) -> NDArray[np.float32]:
        """Tokens (N, 4, 256) of each mask's box: those at hand, else one more decoder call for the others."""
        tokens = [m.tokens if m.prompt_kind == "box" and m.output == 0 else None for m in masks]
        again = [i for i, t in enumerate(tokens) if t is None]
        if again:
            boxes = self._boxes(image, [masks[i].box_xyxy for i in again])
            sparse, dense = self.sam.prompt_encoder(points=None, boxes=boxes, masks=None)
            self.sam.mask_decoder(
                image_embeddings=image.predictor.features,
                image_pe=self.sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=False,
            )
            for i, row in zip(again, self._seen["tokens"].cpu().numpy(), strict=True):
                tokens[i] = row
        return np.stack([t for t in tokens if t is not None])


def _pool(features: NDArray[np.float32], weights: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Weighted means (N, C) of features (C, 64, 64) under N coverages (64, 64)."""
    flat = np.stack([w.ravel() / w.sum() for w in weights])
    return np.asarray(flat @ features.reshape(len(features), -1).T, dtype=np.float32)


def _own(image: EncodedImage | PreparedImage) -> StockImage:
    if not isinstance(image, StockImage):
        raise ModelError("this image was encoded by another segmenter; encode it with this one")
    return image


def _row(name: str, rows: Mapping[str, NDArray[np.float32]], i: int) -> Vector:
    parts = RECIPES[name].parts
    if parts:
        return normalise(np.concatenate([factor * rows[part][i] for part, factor in parts.items()]))
    return np.asarray(rows[name][i], dtype=np.float32)
