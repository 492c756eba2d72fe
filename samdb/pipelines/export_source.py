"""What an export takes from the store: images in a stable order, each with its objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from samdb.core.bank import BankCard, Prediction
from samdb.core.boxes import Box, clip_box
from samdb.core.head import HEAD_KEY
from samdb.core.points import Condition, Payload, Point, Where
from samdb.core.segment import Segment
from samdb.pipelines.classify_segments import check_bank_fits, classify_segments
from samdb.pipelines.resolve import resolve
from samdb.ports import VectorStore
from samdb.reports.export_record import ExportImage, ExportObject, LeftOuts
from samdb.stores.codec import point_to_segment
from samdb.stores.filter_memory import matches
from samdb.stores.layout import IMAGES, SEGMENTS

ExportWhat: TypeAlias = Literal["segments", "labels", "predictions"]
WHATS: tuple[ExportWhat, ...] = get_args(ExportWhat)

#: what is no label of a dataset, nor one that a person gave
_NO_LABEL = Condition("label_source", "!=", ("none", "inherited", "predicted"))
#: conditions on these choose images, all others segments
_IMAGE_KEYS = frozenset({"dataset", "split", "image_id"})
# images asked for together: some thousand segments, a few MB
_IMAGES_PER_QUERY = 64


@dataclass(frozen=True, slots=True)
class ExportSource:
    """What is exported.

    `segments`: all that match `where`, with the class they have, or none. `labels`: those that the dataset
    labelled, with the dataset's own boxes. `predictions`: what the bank of `card` says now, one answer per
    object with its score, as `samdb classify` gives it; of `where` the conditions on class_name then mean the
    predicted class. `recipes` are the embeddings to bring along.
    """

    what: ExportWhat
    where: Where = ()
    card: BankCard | None = None
    recipes: tuple[str, ...] = ()

    @property
    def stored_where(self) -> Where:
        """What the store decides of a segment."""
        return (*self.where, _NO_LABEL) if self.what == "labels" else self.where

    @property
    def every_image(self) -> bool:
        """Whether images without an object are exported too.

        Not where objects were chosen among others, nor with labels: the store does not tell an image in which
        there is nothing from one that nobody has labelled.
        """
        return self.what != "labels" and all(c.key in _IMAGE_KEYS for c in self.where)


@dataclass(frozen=True, slots=True, order=True)
class StoredImage:
    """An image of the ledger."""

    dataset: str
    image_id: str
    split: str
    path: str
    size_hw: tuple[int, int]


def stored_images(store: VectorStore, where: Where, left_out: LeftOuts) -> list[StoredImage]:
    """The ingested images that the conditions on images leave, sorted: about 300 bytes each."""
    wanted = tuple(c for c in where if c.key in _IMAGE_KEYS)
    found = []
    for point in store.scroll(IMAGES, wanted):
        payload = point.payload
        size = payload.get("size_hw")
        image_id = str(payload["image_id"])
        if payload.get("status") != "done" or not isinstance(size, Sequence) or isinstance(size, str):
            left_out.note("images that are not ingested, or whose ingestion was stopped", image_id)
            continue
        height, width = (int(v) for v in size if isinstance(v, (int, float)))
        split, path = str(payload["split"]), str(payload["path"])
        found.append(StoredImage(str(payload["dataset"]), image_id, split, path, (height, width)))
    return sorted(found)


def exported(
    store: VectorStore, source: ExportSource, images: Sequence[StoredImage], left_out: LeftOuts
) -> Iterator[tuple[StoredImage, list[ExportObject]]]:
    """Each image with its objects, the largest first; the store is asked for a few images at a time."""
    chosen: Callable[[Sequence[Point]], list[ExportObject]]
    if source.what == "predictions":
        chosen = _Predicted(store, source, left_out)
        asked: Where = ()
        recipes = {*source.recipes, *((source.card.recipe,) if source.card else ())}
    else:
        chosen = _labelled if source.what == "labels" else _as_they_are
        asked, recipes = source.stored_where, set(source.recipes)
    for dataset, group in groupby(images, key=lambda image: image.dataset):
        listed = list(group)
        for start in range(0, len(listed), _IMAGES_PER_QUERY):
            batch = listed[start : start + _IMAGES_PER_QUERY]
            ids = tuple(image.image_id for image in batch)
            where = (Condition("dataset", "=", (dataset,)), Condition("image_id", "=", ids), *asked)
            points: dict[str, list[Point]] = defaultdict(list)
            for point in store.scroll(SEGMENTS, where, tuple(sorted(recipes))):
                points[str(point.payload["image_id"])].append(point)
            for image in batch:
                objects = chosen(points.pop(image.image_id, []))
                objects.sort(key=lambda o: (-o.segment.area_px, o.segment.segment_id))
                yield image, objects


def export_image(image: StoredImage, number: int, name: str) -> ExportImage:
    """The image as a writer gets it."""
    return ExportImage(
        number, name, image.dataset, image.split, image.image_id, Path(image.path), image.size_hw
    )


def _as_they_are(points: Sequence[Point]) -> list[ExportObject]:
    segments = [point_to_segment(p) for p in points]
    return [ExportObject(s, s.class_name, None, s.box_xyxy) for s in segments]


def _labelled(points: Sequence[Point]) -> list[ExportObject]:
    segments = [point_to_segment(p) for p in points]
    return [ExportObject(s, s.class_name, None, _label_box(s)) for s in segments]


def _label_box(segment: Segment) -> Box:
    """The box that the dataset gave, inside the image; the mask's where it gave none."""
    box = segment.label_box_xyxy
    return (clip_box(box, segment.mask.size_hw) if box else None) or segment.box_xyxy


class _Predicted:
    """What a bank says of the segments of an image."""

    def __init__(self, store: VectorStore, source: ExportSource, left_out: LeftOuts) -> None:
        assert source.card is not None, "predictions need a bank"
        self._store = store
        self._card = source.card
        self._left_out = left_out
        self._where = tuple(c for c in source.where if c.key != "class_name")
        self._classes = tuple(c for c in source.where if c.key == "class_name")

    def __call__(self, points: Sequence[Point]) -> list[ExportObject]:
        """All segments of the image are heard, also those that are not exported: parts vote."""
        card = self._card
        heads = {HEAD_KEY: card.head} if card.head else {}
        able = [
            p
            for p in points
            if card.recipe in p.vectors and all(p.payload.get(k) == v for k, v in heads.items())
        ]
        if len(able) < len(points):
            self._left_out.note(
                f"segments without the {card.recipe!r} vector that {card.label} compares",
                str(points[0].payload["image_id"]),
                len(points) - len(able),
            )
        segments = [point_to_segment(p) for p in able]
        for model in {s.model for s in segments}:
            check_bank_fits(card, model=model)
        answers = resolve(segments, classify_segments(self._store, segments, card), card)
        found = []
        for point, segment, answer in zip(able, segments, answers, strict=True):
            prediction = answer.prediction
            if answer.answered_by is not None:
                self._left_out.note(
                    "segments that another answers for, as a part or the same object", segment.image_id
                )
            elif prediction.class_name is None:
                self._left_out.note("segments that are none of the bank's classes", segment.image_id)
            elif self._wanted(point.payload, prediction):
                name, score = prediction.class_name, prediction.score
                found.append(ExportObject(segment, name, score, segment.box_xyxy))
        return found

    def _wanted(self, payload: Payload, prediction: Prediction) -> bool:
        return matches(payload, self._where) and matches({"class_name": prediction.class_name}, self._classes)
