"""What an evaluation judges by: stored segments as arrays, split by image."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from samdb.bank.table import SegmentTable
from samdb.core.boxes import box_area
from samdb.core.masks import Rle
from samdb.core.points import Condition, Point, Where
from samdb.core.segment import FLAG_FOUND
from samdb.errors import BankError, ConfigError
from samdb.pipelines.bank_source import LABELLED, BankSource, read_background, read_labelled
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import IMAGES, SEGMENTS

WHOLE: Final = Condition("granularity", "=", ("whole",))
#: where a dataset has one split only, one image in so many is judged by
_ONE_IN = 5
#: segments without the attribute that they are grouped by
UNKNOWN_GROUP: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Segments:
    """N stored segments. `vectors` maps a recipe to unit rows (N, D); a segment that lacks one is not here.

    `boxes_xyxy` (N, 4) in px are those of labelled objects as they were labelled, of automatic masks their
    own; `class_names` are the labels', None of an automatic mask. `groups` is the attribute that figures are
    broken down by. `masks` are automatic masks', of labelled objects there is none.
    """

    ids: tuple[str, ...]
    vectors: Mapping[str, NDArray[np.float32]]
    class_names: tuple[str | None, ...]
    boxes_xyxy: NDArray[np.float64]
    image_keys: tuple[str, ...]
    groups: tuple[str, ...]
    masks: tuple[Rle, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labels(self) -> list[str]:
        """The class names of segments that all have one."""
        return [name for name in self.class_names if name is not None]

    @property
    def area_px2(self) -> NDArray[np.float64]:
        """Areas (N,) of the boxes in px²."""
        return box_area(self.boxes_xyxy)

    def take(self, rows: NDArray[np.bool_]) -> Segments:
        """The segments where `rows` (N,) is true."""
        index = np.flatnonzero(rows)
        return Segments(
            ids=tuple(self.ids[i] for i in index),
            vectors={recipe: matrix[index] for recipe, matrix in self.vectors.items()},
            class_names=tuple(self.class_names[i] for i in index),
            boxes_xyxy=self.boxes_xyxy[index],
            image_keys=tuple(self.image_keys[i] for i in index),
            groups=tuple(self.groups[i] for i in index),
            masks=tuple(self.masks[i] for i in index) if self.masks else (),
        )

    def of_classes(self, classes: Sequence[str]) -> Segments:
        """The segments labelled as one of `classes`."""
        return self.take(np.array([c in classes for c in self.class_names], dtype=bool))


@dataclass(frozen=True, slots=True)
class Splits:
    """Which images are learned from and which are judged by.

    `by_hash` is True where a dataset has one split only: then one image in five, by the hash of its name, is
    judged by. `leaked` are images to judge by whose very file is also learned from: they are left out.
    """

    dataset: str
    train: Where
    val: Where
    by_hash: bool
    leaked: frozenset[str]

    def in_train(self, image_keys: Sequence[str]) -> NDArray[np.bool_]:
        """Which of the images that match `train` are learned from."""
        return np.array([not (self.by_hash and is_held_out(key)) for key in image_keys], dtype=bool)

    def in_val(self, image_keys: Sequence[str]) -> NDArray[np.bool_]:
        """Which of the images that match `val` are judged by."""
        return np.array(
            [(not self.by_hash or is_held_out(key)) and key not in self.leaked for key in image_keys],
            dtype=bool,
        )


_NAMED: Final = frozenset({"train", "val", "test"})


def is_held_out(image_key: str) -> bool:
    """Whether an image is judged by where its dataset has one split: by hash, so that it never moves.

    It is another hash than calibration's, whose folds lie inside the images that are learned from.
    """
    digest = hashlib.sha256(f"samdb eval\x1f{image_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _ONE_IN == 0


def stored_splits(store: VectorStore, dataset: str) -> frozenset[str]:
    """The splits of a dataset of which the store holds labelled segments."""
    mine = (LABELLED, Condition("dataset", "=", (dataset,)))
    return frozenset(store.facet(SEGMENTS, "split", mine))


def find_splits(store: VectorStore, dataset: str | None, train: str, val: str) -> Splits:
    """How the images of a dataset are split; without a name the store must hold one dataset only.

    Raises ConfigError when the store has no such dataset or splits, BankError when it holds no labels.
    """
    names = store.facet(SEGMENTS, "dataset", (LABELLED,))
    if not names:
        raise BankError(
            f"the store at {store.address} holds no labelled segment: give a dataset with labels to ingest, "
            "`samdb eval PATH`"
        )
    if dataset is None and len(names) > 1:
        raise ConfigError(
            f"the store holds several datasets ({', '.join(sorted(names))}): choose one with --dataset"
        )
    name = dataset or next(iter(names))
    if name not in names:
        raise ConfigError(
            f"the store holds no labelled dataset {name!r}: there is {', '.join(sorted(names))}; "
            "ingest it by giving its path to `samdb eval PATH`"
        )
    mine = Condition("dataset", "=", (name,))
    splits = store.facet(SEGMENTS, "split", (LABELLED, mine))
    # the only split: the one to learn from, or one whose name says nothing, such as a plain folder's
    if len(splits) == 1 and val not in splits and (train in splits or not _NAMED & set(splits)):
        return Splits(name, (mine,), (mine,), True, frozenset())
    for wanted in (train, val):
        if wanted not in splits:
            raise ConfigError(
                f"dataset {name!r} has no labelled segments of a split {wanted!r} in the store, only of "
                f"{', '.join(sorted(splits))}: choose with --train-split and --val-split, or ingest that one"
            )
    if train == val:
        raise ConfigError("what is learned from cannot be judged by: --train-split and --val-split differ")
    in_train, in_val = Condition("split", "=", (train,)), Condition("split", "=", (val,))
    known = {p.payload.get("sha256") for p in store.scroll(IMAGES, (mine, in_train))} - {None}
    leaked = {_image_key(p) for p in store.scroll(IMAGES, (mine, in_val)) if p.payload.get("sha256") in known}
    return Splits(name, (mine, in_train), (mine, in_val), False, frozenset(leaked))


def read_train(store: VectorStore, splits: Splits, recipe: str, *beside: str, parts: bool) -> SegmentTable:
    """What a bank of `recipe`, or of several side by side, is learned from: labelled segments, and
    background where it is known.

    Raises BankError when there is none.
    """
    source = BankSource(recipe, splits.train, parts=parts, beside=beside)
    labelled = read_labelled(store, source).segments
    table = SegmentTable.of([*labelled, *read_background(store, source, _MAX_BACKGROUND)])
    return table.take(splits.in_train(table.image_keys))


def read_labels(
    store: VectorStore, where: Where, recipes: Sequence[str], group_by: str
) -> tuple[Segments, int]:
    """The labelled whole segments that match, and how many of them lack one of the recipes."""
    return _read(store, (LABELLED, WHOLE, *where), recipes, group_by)


def read_automatic(
    store: VectorStore, where: Where, recipes: Sequence[str], group_by: str
) -> tuple[Segments, int]:
    """The masks that the automatic search found: those stored as its own, and labelled objects that it found
    again; without their labels, in the boxes of their masks.
    """
    own, lack = _read(store, (Condition("prompt_kind", "=", ("grid",)), *where), recipes, group_by, mask=True)
    again, lack_again = _read(
        store, (Condition("flags", "=", (FLAG_FOUND,)), *where), recipes, group_by, mask=True
    )
    return _join(own, again), lack + lack_again


def recipes_of(store: VectorStore, where: Where, recipes: Sequence[str], sample: int = 50) -> Counter[str]:
    """How many of the first few matching segments have each recipe; for telling which are stored at all."""
    found: Counter[str] = Counter()
    for _, point in zip(range(sample), store.scroll(SEGMENTS, where, tuple(recipes)), strict=False):
        found.update(point.vectors.keys())
    return found


# as `samdb bank build` takes
_MAX_BACKGROUND = 20_000


def _read(
    store: VectorStore, where: Where, recipes: Sequence[str], group_by: str, *, mask: bool = False
) -> tuple[Segments, int]:
    points: list[Point] = []
    lacking = 0
    for point in store.scroll(SEGMENTS, where, tuple(recipes)):
        if all(recipe in point.vectors for recipe in recipes):
            points.append(point)
        else:
            lacking += 1
    names = [None if mask else p.payload.get("class_name") for p in points]
    segments = Segments(
        ids=tuple(p.id for p in points),
        vectors={r: np.stack([p.vectors[r] for p in points]) for r in recipes} if points else {},
        class_names=tuple(None if name is None else str(name) for name in names),
        boxes_xyxy=np.array([_box(p, mask=mask) for p in points], dtype=np.float64).reshape(-1, 4),
        image_keys=tuple(_image_key(p) for p in points),
        groups=tuple(str(p.payload.get(group_by, UNKNOWN_GROUP)) for p in points),
        masks=tuple(point_to_segment(p).mask for p in points) if mask else (),
    )
    return segments, lacking


def _join(a: Segments, b: Segments) -> Segments:
    if not len(a) or not len(b):
        return a if len(a) else b
    return Segments(
        ids=a.ids + b.ids,
        vectors={r: np.concatenate([a.vectors[r], b.vectors[r]]) for r in a.vectors},
        class_names=a.class_names + b.class_names,
        boxes_xyxy=np.concatenate([a.boxes_xyxy, b.boxes_xyxy]),
        image_keys=a.image_keys + b.image_keys,
        groups=a.groups + b.groups,
        masks=a.masks + b.masks,
    )


def _image_key(point: Point) -> str:
    # as in bank_source: image ids are unique within their dataset
    return f"{point.payload['dataset']}\x1f{point.payload['image_id']}"


def _box(point: Point, *, mask: bool) -> Sequence[float]:
    own = point.payload["box_xyxy"]
    box = own if mask else point.payload.get("label_box_xyxy") or own
    assert isinstance(box, Sequence)
    return [float(v) for v in box if isinstance(v, (int, float))]
