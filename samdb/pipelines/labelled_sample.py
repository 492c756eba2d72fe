"""Labelled segments of a store as arrays: what `probe` and `audit` look at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from samdb.core.points import Condition, Payload, Point, Where
from samdb.core.segment import Segment
from samdb.errors import ConfigError, InputError
from samdb.pipelines.bank_source import LABELLED
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import SEGMENTS
from samdb.stores.migrate import stored_params

WHOLE = Condition("granularity", "=", ("whole",))
PART = Condition("granularity", "=", ("part",))
INHERITED = Condition("label_source", "=", ("inherited",))
#: the value of a key that a segment was stored without
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """N stored segments with a class, sorted by class, then by id.

    `vectors` (N, D) float32 are unit rows of `recipe`; `classes` (N,) index into `class_names`; `images`
    (N,) tell which segments share an image. `payloads` are what else is stored of each. `n_stored` is how
    many there are in the store: more than N when only a sample was read.
    """

    recipe: str
    ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    class_names: tuple[str, ...]
    classes: NDArray[np.int64]
    images: NDArray[np.int64]
    payloads: tuple[Payload, ...]
    n_stored: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def n_images(self) -> int:
        """How many images they lie in."""
        return len(np.unique(self.images))

    @property
    def image_keys(self) -> tuple[tuple[str, str], ...]:
        """The (dataset, image id) of each segment's image."""
        return tuple((str(p["dataset"]), str(p["image_id"])) for p in self.payloads)

    def values(self, key: str) -> tuple[str, ...]:
        """What is stored under a key, as text; UNKNOWN where nothing is."""
        return tuple(str(p.get(key, UNKNOWN)) for p in self.payloads)

    def segment(self, row: int) -> Segment:
        """One of them as a segment, with its embedding."""
        return point_to_segment(Point(self.ids[row], {self.recipe: self.vectors[row]}, self.payloads[row]))


def read_wholes(store: VectorStore, recipe: str, where: Where, limit: int) -> LabelledSample:
    """Up to `limit` whole segments that a dataset labelled, of all classes that match `where`.

    Raises ConfigError on an unknown recipe, InputError when no such segment has that embedding.
    """
    return _read(store, recipe, (LABELLED, WHOLE, *where), limit)


def read_parts(store: VectorStore, recipe: str, where: Where, limit: int) -> LabelledSample | None:
    """Up to `limit` parts that inherited the class of the whole they lie in; None when there is none."""
    try:
        return _read(store, recipe, (INHERITED, PART, *where), limit)
    except InputError:
        return None


def fair_shares(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """How many to take of each class when `limit` is all one may have: rare classes whole, the others alike.

    Each class gets at least one; the largest share is the same for all classes that exceed it.
    """
    shares: dict[str, int] = {}
    left = limit
    for done, (name, n) in enumerate(sorted(counts.items(), key=lambda item: (item[1], item[0]))):
        shares[name] = max(1, min(n, left // (len(counts) - done)))
        left -= shares[name]
    return shares


def check_recipe(store: VectorStore, recipe: str) -> None:
    """Raise ConfigError unless the store's model has that recipe."""
    held = stored_params(store)
    if held is not None and recipe not in held.vectors:
        raise ConfigError(f"unknown recipe {recipe!r}: choose from {', '.join(sorted(held.vectors))}")


def numbered(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """Numbers (N,) that are equal where the keys are, from 0 in the order of their first appearance."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)


def _read(store: VectorStore, recipe: str, where: Where, limit: int) -> LabelledSample:
    check_recipe(store, recipe)
    counts = store.facet(SEGMENTS, "class_name", where)
    points: list[Point] = []
    for name, share in sorted(fair_shares(counts, limit).items()):
        of_class = (*where, Condition("class_name", "=", (name,)))
        # ids are hashes: the first of them are a random choice, and the same one every time
        embedded = (p for p in store.scroll(SEGMENTS, of_class, (recipe,)) if recipe in p.vectors)
        points += islice(embedded, share)
    if not points:
        raise InputError(
            f"no labelled segment in {store.address} matches and has a {recipe!r} embedding: ingest labels "
            f"(`samdb ingest PATH --prompts labels --recipes {recipe}`), or loosen --where"
        )
    names = tuple(sorted({str(p.payload["class_name"]) for p in points}))
    index = {name: i for i, name in enumerate(names)}
    return LabelledSample(
        recipe=recipe,
        ids=tuple(p.id for p in points),
        vectors=np.stack([p.vectors[recipe] for p in points]).astype(np.float32),
        class_names=names,
        classes=np.array([index[str(p.payload["class_name"])] for p in points], dtype=np.int64),
        images=numbered([(str(p.payload["dataset"]), str(p.payload["image_id"])) for p in points]),
        payloads=tuple(p.payload for p in points),
        n_stored=sum(counts.values()),
    )
