"""The points of the store benchmark: real segments of a store, taken image by image and mixed with like ones.

A seed is a stored segment: its embedding, and its payload as samdb wrote it. Points are made an image at a
time from the segments of one seed image, so that payloads stay as real as their images. Each embedding is a
random mixture of its seed's and a few of its nearest of the same class, and a little noise. Noise alone
would put every copy of a seed at about the same distance from every other, and the ten nearest would be a
matter of chance. `spectrum` says how far the nearest lie; for 2,402 real segments of BDD100K (`blend`, each
other's neighbours) and 100,000 made of them, medians (10 % and 90 % quantiles):

    distance of the 10th by that of the 1st: real 1.19 (1.09, 2.03), made 1.17 (1.09, 1.35)
    local dimension of the 20 nearest:       real 15.7 (8.4, 25.5),  made 15.2 (9.4, 23.9)

Everything follows from the seed number and the point's own number.
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
#: a point is mixed of its seed and MIXED others, drawn from so many of its class that are nearest to it
MIXED, NEAREST = 6, 100
#: length of the noise, by the distance from the seed to the nearest of its class
NOISE = 0.2
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
    #: of each seed: its nearest of the same class (S, NEAREST or fewer), itself where there are no more; the
    #: length of the noise (S,)
    near: NDArray[np.int64]
    noise: NDArray[np.float32]
    #: the seed number
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
        near, noise = _neighbours(seeds)
        return cls(seeds, np.array(rows[:n]), np.array(owners[:n]), near, noise, number)

    def vectors(self, start: int, stop: int) -> Vectors:
        """Embeddings (stop - start, D) of norm 1; `start` must be a multiple of CHUNK."""
        made = [self._chunk(at, min(at + CHUNK, stop)) for at in range(start, stop, CHUNK)]
        return np.concatenate(made)

    def queries(self, n: int) -> Vectors:
        """Embeddings (n, D) of segments that are like the points and not among them."""
        rng = np.random.default_rng([self.number, 1 << 40])
        rows = rng.integers(len(self.seeds.vectors), size=n)
        return self._mixed(rows, rng)

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
        return self._mixed(self.rows[start:stop], rng)

    def _mixed(self, rows: NDArray[np.int64], rng: np.random.Generator) -> Vectors:
        """A point for each of these seeds."""
        vectors = self.seeds.vectors
        others = self.near[rows[:, None], rng.integers(self.near.shape[1], size=(len(rows), MIXED))]
        weights = rng.dirichlet(np.ones(1 + MIXED), len(rows)).astype(np.float32)
        made = vectors[rows] * weights[:, :1]
        for i in range(MIXED):
            made += vectors[others[:, i]] * weights[:, i + 1 : i + 2]
        step = self.noise[rows, None] / np.float32(np.sqrt(vectors.shape[1]))
        made += rng.standard_normal(made.shape, dtype=np.float32) * step
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


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


def spectrum(asked: Vectors, among: Vectors, k: int = 20) -> tuple[Vectors, Vectors]:
    """For each row (Q, D): its 10th neighbour's distance by its nearest's, and the local dimension (Levina
    and Bickel's estimate from the k nearest); both (Q,). A row that is itself among them is no neighbour.
    """
    cosines = asked @ among.T
    cosines[cosines > 1 - 1e-6] = -1.0
    nearest = -np.sort(np.partition(-cosines, k, axis=1)[:, :k], axis=1)
    distances = np.sqrt(2 - 2 * nearest)
    dimension = -1.0 / np.log(distances[:, :-1] / distances[:, -1:]).mean(axis=1)
    return distances[:, 9] / distances[:, 0], dimension


def _neighbours(seeds: Seeds) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of each seed the nearest of its class, closest first; and the length of its noise."""
    classes = np.array([_name(p) or "" for p in seeds.payloads])
    near = np.tile(np.arange(len(classes))[:, None], min(NEAREST, len(classes)))
    noise = np.zeros(len(classes), dtype=np.float32)
    for name in np.unique(classes):
        of = np.flatnonzero(classes == name)
        for part in np.array_split(of, len(of) // 1000 + 1):
            cosines = seeds.vectors[part] @ seeds.vectors[of].T
            cosines[np.arange(len(part)), np.searchsorted(of, part)] = -2.0
            order = np.argsort(-cosines, axis=1)[:, : min(len(of) - 1, near.shape[1])]
            if not order.size:
                continue
            # few of a class: all of them, over and over
            near[part] = np.take(of[order], np.arange(near.shape[1]) % order.shape[1], axis=1)
            closest = np.take_along_axis(cosines, order[:, :1], 1)[:, 0]
            noise[part] = NOISE * np.sqrt(np.maximum(2 - 2 * closest, 0.0))
    return near, noise


def _name(payload: Payload) -> str | None:
    name = payload.get("class_name")
    return name if isinstance(name, str) else None


def _text(name: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, name))
