"""The points of the store benchmark: real segments of a store, taken image by image and moved a little.

A seed is a stored segment: its embedding, and its payload as samdb wrote it. Points are made an image at a
time from the segments of one seed image, so that payloads stay as real as their images. Each embedding is
moved by noise that has the covariance of the differences between real neighbours: clusters keep the shape
that SAM gives them. Everything follows from the seed number and the point's own number.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

#: a payload in plain JSON, as it is stored
Json: TypeAlias = str | int | float | bool | list["Json"] | dict[str, "Json"] | None
Payload: TypeAlias = dict[str, Json]
Vectors: TypeAlias = NDArray[np.float32]

_NAMESPACE = uuid.UUID("6b1f0a56-9f3c-5d0e-8a55-1d1f5a2f7f10")
#: how far a point lies from its seed, by the differences between real neighbours
SPREAD = 0.7
#: seeds looked at to learn that difference
_NEIGHBOURS_OF = 2000
#: points made together; the noise of a chunk follows from the seed number and the chunk's own
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Seeds:
    """Real segments in the order of their images: `vectors` (S, D) of norm 1, a payload each."""

    vectors: Vectors
    payloads: Sequence[Payload]

    def save(self, folder: Path) -> None:
        """Write them where the measured processes find them."""
        np.save(folder / "seeds.npy", self.vectors)
        (folder / "seeds.json").write_text(json.dumps(list(self.payloads)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Seeds:
        """Read what `save` wrote."""
        payloads = json.loads((folder / "seeds.json").read_text(encoding="utf-8"))
        return cls(np.load(folder / "seeds.npy"), payloads)

    def images(self) -> list[range]:
        """The rows of each seed image."""
        found: list[range] = []
        start = 0
        for i in range(1, len(self.payloads) + 1):
            here = self.payloads[i]["image_id"] if i < len(self.payloads) else None
            if here != self.payloads[start]["image_id"]:
                found.append(range(start, i))
                start = i
        return found


@dataclass(frozen=True, slots=True)
class Points:
    """Which seed each of n points is made from, and which image it lies in; both (n,)."""

    seeds: Seeds
    rows: NDArray[np.int64]
    images: NDArray[np.int64]
    #: draws the noise: (D, D), and the seed number
    noise: NDArray[np.float32]
    number: int

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, seeds: Seeds, n: int, number: int = 0) -> Points:
        """The first n points of the endless list that follows from a seed number."""
        rng = np.random.default_rng(number)
        images = seeds.images()
        rows: list[int] = []
        owners: list[int] = []
        image = 0
        while len(rows) < n:
            drawn = images[int(rng.integers(len(images)))]
            rows += drawn
            owners += [image] * len(drawn)
            image += 1
        return cls(seeds, np.array(rows[:n]), np.array(owners[:n]), _noise(seeds.vectors, rng), number)

    def vectors(self, start: int, stop: int) -> Vectors:
        """Embeddings (stop - start, D) of norm 1; `start` must be a multiple of CHUNK."""
        made = [self._chunk(at, min(at + CHUNK, stop)) for at in range(start, stop, CHUNK)]
        return np.concatenate(made)

    def queries(self, n: int) -> Vectors:
        """Embeddings (n, D) of segments that are like the points and not among them."""
        rng = np.random.default_rng([self.number, 1 << 40])
        rows = rng.integers(len(self.seeds.vectors), size=n)
        return _moved(self.seeds.vectors[rows], self.noise, rng)

    def payloads(self, start: int, stop: int) -> Iterator[Payload]:
        """Payloads as samdb stores them: the seed's, with an image, a parent and a label of its own."""
        for i in range(start, stop):
            payload = dict(self.seeds.payloads[self.rows[i]])
            image = int(self.images[i])
            payload["image_id"] = f"{payload['image_id']}~{image}"
            for key in ("parent_id", "label_id"):
                if payload.get(key) is not None:
                    payload[key] = _text(f"{key} {payload[key]} {image}")
            yield payload

    def classes(self) -> list[str | None]:
        """The class of every point."""
        names = [_name(p) for p in self.seeds.payloads]
        return [names[row] for row in self.rows]

    def _chunk(self, start: int, stop: int) -> Vectors:
        rng = np.random.default_rng([self.number, start])
        return _moved(self.seeds.vectors[self.rows[start:stop]], self.noise, rng)


def point_id(i: int) -> str:
    """The id of the i-th point."""
    return _text(f"point {i}")


def choose_class(classes: Sequence[str | None], share: float) -> tuple[str, float]:
    """The class whose share of the points is closest (by ratio) to the one wanted, and its share."""
    counted: Mapping[str, int] = {name: classes.count(name) for name in set(classes) if name is not None}
    if not counted:
        raise ValueError("no segment of the store has a class: ingest a labelled dataset")
    name = min(sorted(counted), key=lambda c: abs(np.log(counted[c] / len(classes) / share)))
    return name, counted[name] / len(classes)


def _noise(vectors: Vectors, rng: np.random.Generator) -> NDArray[np.float32]:
    """A matrix (D, D) that turns standard normal rows into differences like those of real neighbours."""
    picked = vectors[rng.permutation(len(vectors))[:_NEIGHBOURS_OF]]
    cosines = picked @ picked.T
    np.fill_diagonal(cosines, -1.0)
    differences = (picked[cosines.argmax(axis=1)] - picked).astype(np.float64)
    values, axes = np.linalg.eigh(differences.T @ differences / len(differences))
    return np.asarray((axes * np.sqrt(np.maximum(values, 0.0))).T * SPREAD, dtype=np.float32)


def _moved(rows: Vectors, noise: NDArray[np.float32], rng: np.random.Generator) -> Vectors:
    moved = rows + rng.standard_normal(rows.shape, dtype=np.float32) @ noise
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)


def _name(payload: Payload) -> str | None:
    name = payload.get("class_name")
    return name if isinstance(name, str) else None


def _text(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))
