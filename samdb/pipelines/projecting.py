"""A segmenter with a head: whatever is embedded is projected too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.core.bank import BankCard
from samdb.core.head import PROJECTED, Head
from samdb.core.masks import Rle
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.vectors import Vector
from samdb.pipelines.head_store import load_head
from samdb.ports import Description, EncodedImage, PreparedImage, Segmenter, VectorStore


def fitted(segmenter: Segmenter, store: VectorStore, card: BankCard) -> Segmenter:
    """The segmenter with the bank's head, or as it is when the bank has none."""
    head = load_head(store, card)
    return segmenter if head is None else ProjectingSegmenter(segmenter, head)


@dataclass(frozen=True, slots=True)
class ProjectedDescription:
    """What SAM has to say of some masks, and the head that goes on from there."""

    inner: Description
    head: Head

    def embeddings(self) -> list[Mapping[str, Vector]]:
        """The embeddings of each mask, and their projection."""
        named = self.inner.embeddings()
        rows = self.head.project_named(named)
        return [{**vectors, PROJECTED: row} for vectors, row in zip(named, rows, strict=True)]


@dataclass(frozen=True, slots=True)
class ProjectingSegmenter:
    """Segment Anything with a head: each mask gets what was asked for, what the head reads, and `proj`.

    Its fingerprints are those of the segmenter within: the masks and their embeddings are the same.
    """

    inner: Segmenter
    head: Head

    @property
    def model(self) -> str:
        """The model's name."""
        return self.inner.model

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the model."""
        return self.inner.fingerprint

    @property
    def automatic_fingerprint(self) -> str:
        """The fingerprint of the automatic masks."""
        return self.inner.automatic_fingerprint

    @property
    def batch_size(self) -> int:
        """How many images are worth encoding together."""
        return self.inner.batch_size

    def prepare(self, image: NDArray[np.uint8]) -> PreparedImage:
        """Check and scale an RGB image (H, W, 3)."""
        return self.inner.prepare(image)

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Encode images together."""
        return self.inner.encode_batch(images)

    def encode(self, image: NDArray[np.uint8]) -> EncodedImage:
        """Encode one RGB image (H, W, 3)."""
        return self.inner.encode(image)

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt its mask candidates."""
        return self.inner.prompt(image, prompts)

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """All masks of the image."""
        return self.inner.automatic(image)

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> Description:
        """Ask SAM for these recipes, and for those that the head reads."""
        wanted = dict.fromkeys((*(r for r in recipes if r != PROJECTED), *self.head.recipes))
        return ProjectedDescription(self.inner.describe(image, masks, tuple(wanted)), self.head)

    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings and their projection."""
        return self.describe(image, masks, recipes).embeddings()

    def image_vector(self, image: EncodedImage) -> Vector:
        """One vector for the whole image."""
        return self.inner.image_vector(image)

    def is_sub_cell(self, mask: Rle) -> bool:
        """Whether the mask is too small for the feature grid."""
        return self.inner.is_sub_cell(mask)
