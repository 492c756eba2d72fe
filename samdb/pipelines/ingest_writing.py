"""Ingest, last stage: points to the store, in an order that makes a kill harmless."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from samdb.core.ids import image_point_id
from samdb.core.points import Condition, Payload, Point, Where
from samdb.core.sample import Sample
from samdb.pipelines.ingest_profile import Stopwatch
from samdb.pipelines.kept_names import keep_names
from samdb.pipelines.ledger import PENDING, LedgerEntry
from samdb.ports import VectorStore
from samdb.stores.layout import IMAGES, SEGMENTS
from samdb.stores.write_all import write_all

#: images whose points are made durable together (an fsync costs about 12 ms); a killed run repeats at most
#: these, and the few that are on their way
IMAGES_PER_FLUSH = 8


@dataclass(frozen=True, slots=True)
class ImagePoints:
    """An image's segments, which replace those that it had, and its point in the ledger."""

    sample: Sample
    segments: Sequence[Point]
    ledger: Point


@dataclass(frozen=True, slots=True)
class MovedImage:
    """An unchanged image that is somewhere else now: searches look for its file there."""

    image_id: str
    path: Path


class Writer:
    """Writes images in small groups, always in the same order: what the ledger says of an earlier cut is
    withdrawn, then segments, orphans away, all of it durable, and only then the ledger. Names that people
    gave to the segments of an unchanged file are written with them.

    `dataset` is whose images these are; `together` of them make a group, and `on_written` is told of them
    once the ledger has them. Only one thread uses the store while this one does.
    """

    def __init__(
        self,
        store: VectorStore,
        dataset: str,
        ledger: Mapping[str, LedgerEntry],
        stopwatch: Stopwatch,
        together: int = IMAGES_PER_FLUSH,
        on_written: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._dataset = dataset
        self._ledger = ledger
        self._stopwatch = stopwatch
        self._together = together
        self._on_written = on_written
        self._waiting: list[ImagePoints] = []
        self.n_removed = 0
        #: image ids, and what the store refused of them
        self.refused: list[tuple[str, str]] = []

    def write(self, item: ImagePoints | MovedImage) -> None:
        """Write an image with the others of its group once that is full, or where an unchanged one is now."""
        if isinstance(item, MovedImage):
            with self._stopwatch("write"):
                point_id = image_point_id(self._dataset, item.image_id)
                self._store.set_payload(IMAGES, [point_id], {"path": str(item.path)})
            self._on_written([item.image_id])
            return
        self._waiting.append(item)
        if len(self._waiting) >= self._together:
            self.flush()

    def flush(self) -> None:
        """Write the group, full or not."""
        if not self._waiting:
            return
        with self._stopwatch("write"):
            self._withdraw()
            before = self._before()
            points = [p for image in self._waiting for p in self._named(image, before)]
            refused = {r.point.id: r.reason for r in write_all(self._store, SEGMENTS, points)}
            self._remove_orphans(before, {p.id for p in points if p.id not in refused})
            self._store.flush(SEGMENTS)
            self._store.upsert(IMAGES, [self._ledger_point(image, refused) for image in self._waiting])
            self._store.flush(IMAGES)
        self._on_written([image.sample.image_id for image in self._waiting])
        self._waiting.clear()

    def _ledger_point(self, image: ImagePoints, refused: Mapping[str, str]) -> Point:
        """An image's point in the ledger, with what the store refused of it: the rest is stored and stays,
        and the next run tries again, as a server may come to take what it refused.
        """
        lost = [p.id for p in image.segments if p.id in refused]
        if not lost:
            return image.ledger
        texts = [f"the segment {i} could not be stored: {refused[i]}" for i in lost]
        self.refused += [(image.sample.image_id, text) for text in texts]
        known, n_cut = image.ledger.payload.get("problems"), len(image.segments)
        problems = [*(known if isinstance(known, list) else []), *texts]
        again: Payload = {"fingerprint": "", "problems": problems, "n_segments": n_cut - len(lost)}
        payload = {**image.ledger.payload, **again}
        return replace(image.ledger, payload=payload)

    def _withdraw(self) -> None:
        """Else, killed half-way and then run with the earlier settings, the next run would find these images
        done and leave them half replaced.
        """
        replaced = [image.ledger.id for image in self._waiting if image.sample.image_id in self._ledger]
        if replaced:
            self._store.set_payload(IMAGES, replaced, PENDING)
            self._store.flush(IMAGES)

    def _before(self) -> list[Point]:
        """The segments that these images have in the store, without their vectors."""
        found: list[Point] = []
        by_dataset: dict[str, list[str]] = {}
        for image in self._waiting:
            by_dataset.setdefault(image.sample.dataset, []).append(image.sample.image_id)
        for dataset, image_ids in by_dataset.items():
            where: Where = (
                Condition("dataset", "=", (dataset,)),
                Condition("image_id", "=", tuple(image_ids)),
            )
            found += self._store.scroll(SEGMENTS, where)
        return found

    def _named(self, image: ImagePoints, before: Sequence[Point]) -> Sequence[Point]:
        """An image's segments with the names that they had, unless its file shows something else now."""
        known = self._ledger.get(image.sample.image_id)
        if known is None or known.sha256 != image.ledger.payload["sha256"]:
            return image.segments
        own = [p for p in before if p.payload.get("image_id") == image.sample.image_id]
        return keep_names(own, image.segments)

    def _remove_orphans(self, before: Sequence[Point], written: set[str]) -> None:
        """Delete segments that these images had before and no longer have."""
        orphans = [p.id for p in before if p.id not in written]
        if orphans:
            self._store.delete(SEGMENTS, ids=orphans)
            self.n_removed += len(orphans)
