"""The segmenter: encode an image once, then ask it for masks and embeddings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.prompt import NO_TOKENS, MaskCandidate, Prompt
from samdb.core.vectors import Vector, normalise
from samdb.errors import ConfigError, ImageError, InputError, ModelError
from samdb.ports import EncodedImage, PreparedImage
from samdb.sam.automatic import AutomaticSettings, View, generate_masks
from samdb.sam.candidates import draw_candidates
from samdb.sam.checkpoints import weights_fingerprint
from samdb.sam.crops import CropEmbedder
from samdb.sam.decoder import Attended, Decoder, ImageTokens
from samdb.sam.describing import SamDescription, sources_of
from samdb.sam.device import Compute
from samdb.sam.device_memory import memory_errors
from samdb.sam.encoder import Features, ImageEncoder, TorchEncoder
from samdb.sam.frame import Frame
from samdb.sam.networks import GRID, Networks
from samdb.sam.prompting import embed_prompts, same_shape
from samdb.sam.recipes import check_recipes
from samdb.sam.semantic import SemanticEmbedder
from samdb.sam.similarity import similarity_map

#: prompts decoded together: larger batches fall out of a CPU's cache (8-16 measured best there)
_CPU_BATCH, _GPU_BATCH = 16, 128
#: images encoded together on a GPU; a CPU gains nothing from more than one, and holds it in its cache
_GPU_IMAGES: Mapping[str, int] = {"vit_t": 8, "vit_b": 8, "vit_l": 4, "vit_h": 4}


@dataclass(frozen=True, slots=True)
class PreparedSamImage:
    """An image for the encoder: the RGB image (H, W, 3), its frame, and the image `scaled` (h, w, 3) to the
    frame's input. Bytes until it is encoded: as floats it takes seven times as much.
    """

    image: NDArray[np.uint8]
    frame: Frame
    scaled: NDArray[np.uint8]

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's (height, width) in px."""
        return self.frame.size_hw


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

    def similarity(self, mask: Rle) -> NDArray[np.float32]:
        """Cosines (H, W) of the backbone's features under the mask with those at every pixel.

        Raises InputError when the mask is empty or of another image's size.
        """
        _check_mask(mask, self.size_hw)
        return similarity_map(self.features.backbone[0].cpu().numpy(), self.frame, mask)


class SamSegmenter:
    """Segment Anything on one device (the `Segmenter` port).

    `min_predicted_iou` is the least quality a multimask output needs to be drawn at all when prompting; the
    single-mask output is always drawn. `load_semantic` is called when the recipe `semantic` is first wanted.
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
        load_semantic: Callable[[], SemanticEmbedder] | None = None,
    ) -> None:
        self.model = networks.model
        self._encoder = encoder or TorchEncoder(networks, compute)
        self._decoder = Decoder(networks, compute)
        self._crops = CropEmbedder(networks.model, self._encoder)
        self._load_semantic = load_semantic
        self._semantic: SemanticEmbedder | None = None
        self._automatic = automatic or AutomaticSettings()
        self._min_predicted_iou = min_predicted_iou
        self._device = compute.device
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

    @property
    def batch_size(self) -> int:
        """Images worth encoding together: one on a CPU."""
        return _GPU_IMAGES.get(self.model, 1) if self._device.startswith("cuda") else 1

    def prepare(self, image: NDArray[np.uint8]) -> PreparedSamImage:
        """Check and scale an RGB image (H, W, 3) uint8. Raises ImageError on anything else."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ImageError(f"an image must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
        frame = Frame((image.shape[0], image.shape[1]))
        return PreparedSamImage(image, frame, frame.scaled(image))

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Encode images together. Raises DeviceMemoryError when they are too many at once."""
        return [*self._encode([_own_prepared(image) for image in images])] if images else []

    def encode(self, image: NDArray[np.uint8]) -> SamImage:
        """Encode an RGB image (H, W, 3) uint8. Raises ImageError on anything else."""
        return self._encode([self.prepare(image)])[0]

    @torch.inference_mode()
    @memory_errors()
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
                drawn = draw_candidates(self._decoder, image.frame, asked, state, self._min_predicted_iou)
                for i, candidates in zip(batch, drawn, strict=True):
                    answers[i] = candidates
        return answers

    @torch.inference_mode()
    @memory_errors()
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
        return [
            MaskCandidate(
                mask=m.drawn.rle(image.size_hw),
                box_xyxy=m.drawn.box_xyxy,
                area_px=m.drawn.area_px,
                predicted_iou=m.predicted_iou,
                stability_score=m.drawn.stability_score,
                output=m.output,
                tokens=NO_TOKENS,
                prompt_kind="grid",
            )
            for m in found
        ]

    @torch.inference_mode()
    @memory_errors()
    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> SamDescription:
        """Ask SAM what these recipes need: tokens of the masks that have none, crops.

        Raises InputError on a mask that is empty or of another image's size.
        """
        image = _own(image)
        wanted = check_recipes(recipes)
        sources = sources_of(wanted)
        for candidate in masks:
            _check_mask(candidate.mask, image.size_hw)
        rles = tuple(m.mask for m in masks)
        return SamDescription(
            recipes=wanted,
            frame=image.frame,
            masks=rles,
            boxes_xyxy=tuple(m.box_xyxy for m in masks),
            neck=image.features.neck[0] if sources & {"neck", "neck_box"} else None,
            backbone=image.features.backbone[0] if sources & {"backbone", "quarters"} else None,
            tokens=self._box_tokens(image, masks) if masks and sources & {"token", "tokens"} else None,
            close_ups=self._crops.embed(image.image, rles) if masks and "crop" in sources else None,
            semantic=self._look(image.image, masks) if masks and "semantic" in sources else None,
        )

    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings, recipe -> unit-norm float32 vector (D,).

        Raises InputError as `describe` does.
        """
        return self.describe(image, masks, recipes).embeddings()

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

    @torch.inference_mode()
    @memory_errors()
    def _encode(self, images: Sequence[PreparedSamImage]) -> list[SamImage]:
        features = self._encoder([p.frame.padded(p.scaled, self._device) for p in images])
        single = [
            Features(features.neck[i : i + 1], features.backbone[i : i + 1]) for i in range(len(images))
        ]
        return [
            SamImage(p.image, p.frame, f, self._decoder.share(f.neck))
            for p, f in zip(images, single, strict=True)
        ]

    def _look(self, image: NDArray[np.uint8], masks: Sequence[MaskCandidate]) -> NDArray[np.float32]:
        """The classifier's features (N, D) of the masks' boxes."""
        if self._semantic is None:
            if self._load_semantic is None:
                raise ConfigError(
                    "the recipe 'semantic' needs a classifier beside SAM: load_semantic is None"
                )
            self._semantic = self._load_semantic()
        return self._semantic.embed(image, [m.box_xyxy for m in masks])

    def _attend(self, image: SamImage, prompts: Sequence[Prompt]) -> Attended:
        sparse, dense = embed_prompts(self._decoder, image.frame, prompts)
        tokens = image.tokens if dense is None else self._decoder.share(image.features.neck, dense)
        return self._decoder.attend(tokens, sparse)

    def _box_tokens(self, image: SamImage, masks: Sequence[MaskCandidate]) -> NDArray[np.float32]:
        """The four mask tokens (N, 4, 256) for each mask's box.

        A grid point's tokens describe the point's ambiguity, not the mask: asking once more with the mask's
        own box (a few ms) puts every segment's tokens into the space that the bank was built in.
        """
        tokens = [m.tokens for m in masks]
        again = [i for i, t in enumerate(tokens) if t.size == 0]
        for start in range(0, len(again), self._batch_size):
            batch = again[start : start + self._batch_size]
            state = self._attend(image, [Prompt(box_xyxy=masks[i].box_xyxy) for i in batch])
            for i, row in zip(batch, state.tokens.cpu().numpy(), strict=True):
                tokens[i] = row
        return np.stack(tokens)

    def _encode_crop(self, crop: NDArray[np.uint8]) -> View:
        encoded = self.encode(crop)
        return View(encoded.frame, encoded.features)


def _check_mask(mask: Rle, size_hw: tuple[int, int]) -> None:
    if mask.size_hw != size_hw:
        raise InputError(f"the mask is {mask.size_hw} px (H, W) but the image is {size_hw}; resize the mask")
    if mask.area_px == 0:
        raise InputError("an empty mask has no embedding: leave it out")


def _own_prepared(image: PreparedImage) -> PreparedSamImage:
    if not isinstance(image, PreparedSamImage):
        raise ModelError("this image was prepared by another segmenter; prepare it with this one")
    return image


def _own(image: EncodedImage) -> SamImage:
    if not isinstance(image, SamImage):
        raise ModelError("this image was encoded by another segmenter; encode it with this one")
    return image
