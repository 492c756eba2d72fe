"""Small worlds for the tests of ingest: images of noise with COCO labels, and a segmenter of rectangles."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samdb.core.boxes import Box
from samdb.core.masks import Rle
from samdb.core.points import Point
from samdb.core.prompt import NO_TOKENS, MaskCandidate, Prompt
from samdb.core.sample import Sample
from samdb.core.segment import PromptKind
from samdb.core.vectors import Vector, normalise
from samdb.datasets import open_dataset, read_image
from samdb.pipelines.claims import Claims
from samdb.pipelines.cutting import CutSettings, PromptMode
from samdb.pipelines.ingest import IngestProgress, IngestReport, ingest
from samdb.ports import Dataset, EncodedImage, PreparedImage, VectorStore
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import lay_out

#: numbers of a pixel statistic; the vectors of this world's two recipes
DIM = 8
RECIPES = ("backbone", "neck")
LABELLED_BOX: Box = (4, 4, 28, 28)


@dataclass(frozen=True, slots=True)
class Pixels:
    """An image that the rectangle segmenter has seen."""

    image: NDArray[np.uint8]

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's (height, width) in px."""
        return self.image.shape[0], self.image.shape[1]

    def similarity(self, mask: Rle) -> NDArray[np.float32]:
        """1 under the mask, 0 elsewhere."""
        return mask.decode().astype(np.float32)


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours (N, 3) under each of some masks."""

    under: Sequence[NDArray[np.uint8]]
    recipes: tuple[str, ...]

    def embeddings(self) -> list[Mapping[str, Vector]]:
        """Mean and spread of the colours under each mask; `backbone` the other way round."""
        vectors: list[Mapping[str, Vector]] = []
        for colours in self.under:
            shares = colours.astype(np.float64) / 255
            numbers = np.array([*shares.mean(axis=0), *shares.std(axis=0), len(shares) / 1e4, 1.0])
            both = {"neck": normalise(numbers), "backbone": normalise(numbers[::-1])}
            vectors.append({name: both[name] for name in self.recipes})
        return vectors


@dataclass
class RectangleSegmenter:
    """A segmenter whose masks are filled boxes and whose embeddings are colour statistics under the mask.

    A box gives itself (output 0), its left 60 % (1), the upper half of that (2), and a bad guess (3).
    Automatic masks are the boxes `found`; so many images are encoded `together`. `n_encoded` counts them.
    """

    found: Sequence[Box] = ()
    weights: str = "weights-1"
    grid: str = "grid-1"
    model: str = "vit_t"
    together: int = 1
    n_encoded: int = field(default=0)

    @property
    def fingerprint(self) -> str:
        """The weights."""
        return self.weights

    @property
    def automatic_fingerprint(self) -> str:
        """The grid."""
        return self.grid

    @property
    def batch_size(self) -> int:
        """Images encoded together."""
        return self.together

    def prepare(self, image: NDArray[np.uint8]) -> Pixels:
        """Keep the image."""
        return Pixels(image)

    def encode_batch(self, images: Sequence[PreparedImage]) -> list[EncodedImage]:
        """Count the images."""
        self.n_encoded += len(images)
        return [image for image in images if isinstance(image, Pixels)]

    def encode(self, image: NDArray[np.uint8]) -> Pixels:
        """Keep the image, and count it."""
        self.n_encoded += 1
        return Pixels(image)

    def prompt(self, image: EncodedImage, prompts: Sequence[Prompt]) -> list[list[MaskCandidate]]:
        """Four boxes for each box."""
        answers = []
        for prompt in prompts:
            assert prompt.box_xyxy is not None
            x0, y0, x1, y1 = prompt.box_xyxy
            left, half = x0 + 0.6 * (x1 - x0), y0 + 0.5 * (y1 - y0)
            boxes = [(x0, y0, x1, y1), (x0, y0, left, y1), (x0, y0, left, half), (x0, half, x1, y1)]
            qualities = (0.95, 0.9, 0.9, 0.5)
            answers.append(
                [
                    candidate(box, image.size_hw, output, predicted_iou)
                    for output, (box, predicted_iou) in enumerate(zip(boxes, qualities, strict=True))
                ]
            )
        return answers

    def automatic(self, image: EncodedImage) -> list[MaskCandidate]:
        """The boxes `found`."""
        return [candidate(box, image.size_hw, 1, 0.9, "grid") for box in self.found]

    def describe(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> Colours:
        """The colours under each mask."""
        assert isinstance(image, Pixels)
        return Colours([image.image[m.mask.decode()] for m in masks], tuple(recipes))

    def embed(
        self, image: EncodedImage, masks: Sequence[MaskCandidate], recipes: Sequence[str]
    ) -> list[Mapping[str, Vector]]:
        """Their statistics."""
        return self.describe(image, masks, recipes).embeddings()

    def image_vector(self, image: EncodedImage) -> Vector:
        """The histogram of all values (256,)."""
        assert isinstance(image, Pixels)
        return normalise(np.bincount(image.image.ravel(), minlength=256).astype(np.float64))

    def is_sub_cell(self, mask: Rle) -> bool:
        """Fewer than 16 px."""
        return mask.area_px < 16


def candidate(
    box: Box,
    size_hw: tuple[int, int],
    output: int = 0,
    predicted_iou: float = 0.95,
    kind: PromptKind = "box",
) -> MaskCandidate:
    """A filled box as SAM would offer it."""
    mask = filled(box, size_hw)
    return MaskCandidate(mask, mask.box_xyxy, mask.area_px, predicted_iou, 0.97, output, NO_TOKENS, kind)


def filled(box: Box, size_hw: tuple[int, int]) -> Rle:
    """The pixels of a box, its corners rounded."""
    x0, y0, x1, y1 = (round(v) for v in box)
    mask = np.zeros(size_hw, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return Rle.encode(mask)


def noise(seed: int, size_hw: tuple[int, int] = (32, 48)) -> NDArray[np.uint8]:
    """An image of noise, a different one for each seed."""
    return np.random.default_rng(seed).integers(0, 256, size=(*size_hw, 3), dtype=np.uint8)


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Save an image without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_labels(root: Path, labels: Mapping[str, Sequence[tuple[Box, str]]]) -> None:
    """Write COCO labels: for each image its boxes and their classes."""
    names = sorted({name for rows in labels.values() for _, name in rows} | {"car"})
    content = {
        "images": [{"id": i, "file_name": file} for i, file in enumerate(labels)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names, 1)],
        "annotations": [
            {
                "id": 100 * i + j,
                "image_id": i,
                "category_id": names.index(name) + 1,
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            }
            for i, rows in enumerate(labels.values())
            for j, (box, name) in enumerate(rows)
        ],
    }
    path = root / "annotations" / "instances_train.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_world(root: Path, n: int, box: Box = LABELLED_BOX) -> Path:
    """A dataset of `n` noise images, `images/00.png` and so on, each with one labelled car."""
    for i in range(n):
        write_image(root / "images" / f"{i:02}.png", noise(i))
    write_labels(root, {f"{i:02}.png": [(box, "car")] for i in range(n)})
    return root


def new_store() -> MemoryStore:
    """An empty samdb store for this world's vectors."""
    store = MemoryStore()
    lay_out(store, dict.fromkeys(RECIPES, DIM))
    return store


def run_ingest(
    source: Path | Dataset,
    store: VectorStore,
    segmenter: RectangleSegmenter | None = None,
    *,
    prompts: PromptMode = "labels",
    recipes: Sequence[str] = ("neck",),
    run: str = "run",
    split: str | None = None,
    limit: int | None = None,
    read: Callable[[Sample], NDArray[np.uint8]] = lambda sample: read_image(sample.path),
    claims: Claims | None = None,
    on_progress: Callable[[IngestProgress], None] = lambda _: None,
) -> IngestReport:
    """Ingest a folder with the rectangle segmenter."""
    return ingest(
        open_dataset(source) if isinstance(source, Path) else source,
        segmenter or RectangleSegmenter(),
        store,
        CutSettings(prompts, tuple(recipes)),
        read_image=read,
        run=run,
        split=split,
        limit=limit,
        claims=claims,
        on_progress=on_progress,
    )


def contents(store: VectorStore, recipes: Sequence[str] = RECIPES) -> dict[str, Point]:
    """Every segment and ledger point by id, without the run that wrote it."""
    points = [*store.scroll(SEGMENTS, (), tuple(recipes)), *store.scroll(IMAGES, (), ("global",))]
    return {p.id: replace(p, payload={k: v for k, v in p.payload.items() if k != "run"}) for p in points}


def assert_ledger_agrees(store: VectorStore) -> None:
    """Every image of the ledger has as many segments in the store as it says, and no other has any."""
    said = {str(p.payload["image_id"]): p.payload["n_segments"] for p in store.scroll(IMAGES)}
    counted: Counter[str] = Counter(str(p.payload["image_id"]) for p in store.scroll(SEGMENTS))
    assert {image: n for image, n in said.items() if n} == counted


def assert_same_points(got: Mapping[str, Point], wanted: Mapping[str, Point]) -> None:
    """The same ids, payloads and (to 1e-5) vectors."""
    assert got.keys() == wanted.keys()
    for point_id, point in wanted.items():
        assert got[point_id].payload == point.payload
        assert got[point_id].vectors.keys() == point.vectors.keys()
        for name, vector in point.vectors.items():
            np.testing.assert_allclose(got[point_id].vectors[name], vector, atol=1e-5)
