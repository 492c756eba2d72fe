"""A segmenter that remembers the images it encoded lately: a second prompt on one of them is quick."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.vectors import Vector
from samdb.ports import Description, EncodedImage, PreparedImage, Segmenter


class RememberingSegmenter:
    """Segment Anything that keeps the last `n_images` encoded images, told apart by their pixels.

    An encoded image of vit_t is some 20 MB beside its pixels. To be asked in one thread at a time, like any
    segmenter.
    """

    def __init__(self, inner: Segmenter, n_images: int) -> None:
        self._inner = inner
        self._n_images = n_images
        self._encoded: OrderedDict[str, EncodedImage] = OrderedDict()

    @property
    def model(self) -> str:
        """The model's name."""
        return self._inner.model

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the model."""
        return self._inner.fingerprint

    @property
    def automatic_fingerprint(self) -> str:
        """The fingerprint of the automatic masks."""
        return self._inner.automatic_fingerprint

    @property
    def batch_size(self) -> int:
        """How many images are worth encoding together."""
        return self._inner.batch_size

    def prepare(self, image: NDArray[np.uint8]) -> PreparedImage:
        """Check and scale an RGB image (H, W, 3)."""
        return self._inner.prepare(image)

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Encode images together; a batch is not remembered."""
        return self._inner.encode_batch(images)

    def encode(self, image: NDArray[np.uint8]) -> EncodedImage:
        """The encoded image (H, W, 3), encoded now or lately."""
        key = hashlib.blake2b(np.ascontiguousarray(image).data, key=repr(image.shape).encode()).hexdigest()
        found = self._encoded.get(key)
        if found is None:
            found = self._inner.encode(image)
            while len(self._encoded) >= self._n_images:
                self._encoded.popitem(last=False)
        self._encoded[key] = found
        self._encoded.move_to_end(key)
        return found

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt its mask candidates."""
        return self._inner.prompt(image, prompts)

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """All masks of the image."""
        return self._inner.automatic(image)

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> Description:
        """Ask SAM all that these recipes need to know of the masks."""
        return self._inner.describe(image, masks, recipes)

    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings."""
        return self._inner.embed(image, masks, recipes)

    def image_vector(self, image: EncodedImage) -> Vector:
        """One vector for the whole image."""
        return self._inner.image_vector(image)

    def is_sub_cell(self, mask: Rle) -> bool:
        """Whether the mask is too small for the feature grid."""
        return self._inner.is_sub_cell(mask)
