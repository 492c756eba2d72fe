"""The plug points. Reading this page shows the whole flow.

    Dataset     path                -> samples (an image and its labels)
    Segmenter   image -> prepared -> encoded; + prompts -> mask candidates -> embeddings per recipe
    VectorStore points              -> stored, filtered, queried

A pipeline in `samdb.pipelines` is a plain function over these; `samdb.wiring` alone names who fills them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.points import CollectionSpec, CollectionStatus, Hit, Payload, Point, Query, Where
from samdb.core.prompt import MaskCandidate, Prompt
from samdb.core.sample import Sample
from samdb.core.vectors import Vector

#: told the stage of something long, how much of it is done, and how much there is
Progress: TypeAlias = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody asked for."""


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """What one folder of a dataset holds, such as `images/100k/val`: counts for the report."""

    folder: str
    split: str
    n_images: int
    n_labelled: int
    n_boxes: int
    n_masks: int
    n_classes: int


@runtime_checkable
class Dataset(Protocol):
    """A folder of images with whatever labels came with it."""

    name: str
    format: str

    def summary(self) -> Sequence[SplitSummary]:
        """What was found, a row per image folder."""

    def problems(self) -> Sequence[str]:
        """Labels that are there but cannot be used, such as a broken label file: each with its reason."""

    def notices(self) -> Sequence[str]:
        """What is missing or not needed, which may be meant: labels without images, unlabelled folders."""

    def samples(self, split: str | None = None) -> Iterator[Sample]:
        """The images, in a stable order; only those of `split` when it is given."""

    def __len__(self) -> int:
        """How many images there are."""


class PreparedImage(Protocol):
    """An image made ready for the encoder; it belongs to the segmenter that made it."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's (height, width) in px."""


class EncodedImage(Protocol):
    """An image that has been through the encoder; it belongs to the segmenter that made it."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's (height, width) in px."""

    def similarity(self, mask: Rle) -> NDArray[np.float32]:
        """How much each pixel (H, W) resembles what lies under the mask: cosines of features, in [-1, 1]."""


class Description(Protocol):
    """What SAM has to say of some masks of one image. The rest is arithmetic, which any thread may do."""

    def embeddings(self) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings (recipe -> unit-norm float32 vector); SAM is asked nothing."""


class Segmenter(Protocol):
    """Segment Anything: images to masks, masks to embeddings.

    `prepare` and what a `Description` does may run in any thread, beside anything; all else asks SAM, in one
    thread at a time.
    """

    @property
    def model(self) -> str:
        """The model's name, such as `vit_t`."""

    @property
    def fingerprint(self) -> str:
        """Names the weights and all that changes a vector; equal fingerprints give comparable vectors."""

    @property
    def automatic_fingerprint(self) -> str:
        """Names the settings that decide which automatic masks there are."""

    @property
    def batch_size(self) -> int:
        """How many images are worth encoding together."""

    def prepare(self, image: NDArray[np.uint8]) -> PreparedImage:
        """Check and scale an RGB image (H, W, 3): all that can be done before SAM sees it."""

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Encode images together. Raises DeviceMemoryError when they are too many at once."""

    def encode(self, image: NDArray[np.uint8]) -> EncodedImage:
        """Encode one RGB image (H, W, 3)."""

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """For each prompt its mask candidates, the single-mask output first."""

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """All masks of the image, found from a grid of points."""

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> Description:
        """Ask SAM all that these recipes need to know of the masks; the image may then be let go of."""

    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """For each mask its embeddings (recipe -> unit-norm float32 vector): describe, and compute."""

    def image_vector(self, image: EncodedImage) -> Vector:
        """One unit-norm vector (256,) for the whole image."""

    def is_sub_cell(self, mask: Rle) -> bool:
        """Whether the mask is too small for the feature grid, so that its covering cell speaks for it."""


class VectorStore(Protocol):
    """Collections of points with named vectors; every store keeps the same contract (tests/contract)."""

    @property
    def address(self) -> str:
        """Where it is, for messages; never holds a secret."""

    def collections(self) -> list[str]:
        """The names of the collections that exist."""

    def create_collection(self, spec: CollectionSpec) -> None:
        """Create the collection and its indexes unless it exists."""

    def retune(self, spec: CollectionSpec, on_progress: Progress = silent) -> None:
        """Give an existing collection the tuning of `spec`, at once or by a copy behind its name.

        Nothing may write to it meanwhile. Cut short, the same call goes on.
        """

    def drop_collection(self, name: str) -> None:
        """Delete the collection with all its points, if it exists."""

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Write points; the same id replaces.

        Raises StoreRejectedError, writing none, if a vector is NaN or zero.
        """

    def set_payload(self, name: str, ids: Sequence[str], payload: Payload) -> None:
        """Set these payload keys on these points, leaving the others as they are."""

    def set_vectors(self, name: str, vectors: Mapping[str, Mapping[str, Vector]]) -> None:
        """Set named vectors (id -> name -> vector) on existing points, leaving their other vectors."""

    def delete(self, name: str, *, ids: Sequence[str] = (), where: Where = ()) -> None:
        """Delete points by id, or all that match a non-empty filter."""

    def get(self, name: str, ids: Sequence[str], with_vectors: Sequence[str] = ()) -> list[Point]:
        """The points that exist among `ids`, in that order, with the named vectors asked for."""

    def scroll(self, name: str, where: Where = (), with_vectors: Sequence[str] = ()) -> Iterator[Point]:
        """All points that match, paged to the end, in the order of their ids."""

    def page(
        self,
        name: str,
        where: Where = (),
        *,
        start: str | None = None,
        limit: int = 100,
        with_vectors: Sequence[str] = (),
    ) -> tuple[list[Point], str | None]:
        """Up to `limit` of the points that match, in the order of their ids, from the id `start` on; and the
        id that the next page starts at, None when that was all."""

    def count(self, name: str, where: Where = ()) -> int:
        """How many points match, exactly."""

    def facet(self, name: str, key: str, where: Where = ()) -> dict[str, int]:
        """How many points have each value of an indexed key, most frequent first, exactly."""

    def query(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        """Answer queries in one batch; the answers are in their order."""

    def defer_indexes(self, name: str) -> None:
        """Build no vector index until `optimize`: many points are about to be written."""

    def resume_indexes(self, name: str) -> None:
        """End what `defer_indexes` began, if it did: indexes are built as points come, and not waited for."""

    def optimize(self, name: str, on_progress: Progress = silent) -> None:
        """Build the vector indexes and wait for them; on_progress is told how many vectors are indexed."""

    def flush(self, name: str) -> None:
        """Make everything written so far survive a power loss."""

    def status(self, name: str) -> CollectionStatus:
        """Counts and sizes of one collection."""

    def close(self) -> None:
        """Flush and let go; the store cannot be used afterwards."""
