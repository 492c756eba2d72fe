"""Looking around in a store: its datasets, pages of images and of segments, counts by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from samdb.core.ids import image_point_id
from samdb.core.points import Condition, Payload, Point, Where
from samdb.core.sample import Attribute
from samdb.core.segment import Segment
from samdb.errors import InputError
from samdb.pipelines.ledger import LedgerEntry, ledger_entry
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import IMAGES, SEGMENTS

#: payload keys that an image and its segments have in common
_SHARED_KEYS = frozenset({"dataset", "split", "image_id"})
#: payload keys that only an image has; conditions on all others are about its segments
_IMAGE_KEYS = frozenset({"status", "reason", "path", "sha256", "n_segments", "problems", "fingerprint"})
#: attributes of a whole frame, which every segment of it carries
FRAME_KEYS = ("weather", "scene", "timeofday")
#: values of one key that are counted out; beyond, they are no help to anybody
MOST_VALUES = 500
# segments read to learn which recipes are stored
_SOME = 32


@dataclass(frozen=True, slots=True)
class SplitCount:
    """A split of a stored dataset, and how many images it has."""

    name: str
    n_images: int


@dataclass(frozen=True, slots=True)
class DatasetCount:
    """A stored dataset: its splits, images and segments."""

    name: str
    splits: tuple[SplitCount, ...]
    n_images: int
    n_segments: int


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image of the ledger: its key (the id of its point), where it belongs, its size (height, width) px
    if it could be read, what the ledger says, and the attributes of the whole frame."""

    image_key: str
    dataset: str
    split: str
    size_hw: tuple[int, int] | None
    entry: LedgerEntry
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class SegmentPage:
    """Segments in the order of their ids, and the id that the next page starts at (None: that was all)."""

    segments: tuple[Segment, ...]
    next_start: str | None


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Images in the order of their keys, where the next page starts, and how many there are in all."""

    images: tuple[StoredImage, ...]
    next_start: str | None
    total: int


def count_datasets(store: VectorStore) -> list[DatasetCount]:
    """The datasets that were ingested, by name; none when the store is new."""
    if not {IMAGES, SEGMENTS} <= set(store.collections()):
        return []
    images, segments = store.facet(IMAGES, "dataset"), store.facet(SEGMENTS, "dataset")
    found = []
    for name in sorted(images):
        splits = store.facet(IMAGES, "split", (Condition("dataset", "=", (name,)),))
        counts = tuple(SplitCount(split, n) for split, n in sorted(splits.items()))
        found.append(DatasetCount(name, counts, images[name], segments.get(name, 0)))
    return found


def stored_recipes(store: VectorStore, vectors: Sequence[str]) -> list[str]:
    """Those of the model's named `vectors` that stored segments have, as a look at some of them tells."""
    if SEGMENTS not in store.collections():
        return []
    points, _ = store.page(SEGMENTS, limit=_SOME, with_vectors=vectors)
    return sorted({name for point in points for name in point.vectors})


def count_values(store: VectorStore, keys: Sequence[str], where: Where) -> Mapping[str, Mapping[str, int]]:
    """How many segments that match have each value of each key, the most frequent values first.

    Raises StoreRejectedError when a key's values are not counted.
    """
    return {key: dict(list(store.facet(SEGMENTS, key, where).items())[:MOST_VALUES]) for key in keys}


def page_segments(store: VectorStore, where: Where, start: str | None, limit: int) -> SegmentPage:
    """Up to `limit` segments that match, from the id `start` on."""
    points, after = store.page(SEGMENTS, where, start=start, limit=limit)
    return SegmentPage(tuple(point_to_segment(p) for p in points), after)


def segments_of(store: VectorStore, image: StoredImage) -> list[Segment]:
    """All segments of an image, the largest first, so that parts are drawn on their wholes."""
    found = [
        point_to_segment(p) for p in store.scroll(SEGMENTS, _of_image(image.dataset, image.entry.image_id))
    ]
    return sorted(found, key=lambda s: (-s.area_px, s.segment_id))


def one_segment(store: VectorStore, segment_id: str) -> Segment:
    """A stored segment, without its embeddings. Raises InputError when there is none of that id."""
    points = store.get(SEGMENTS, [segment_id])
    if not points:
        raise InputError(f"there is no segment {segment_id} in {store.address}: it may have been cut anew")
    return point_to_segment(points[0])


def one_image(store: VectorStore, image_key: str) -> StoredImage:
    """An image of the ledger. Raises InputError when there is none of that key."""
    points = store.get(IMAGES, [image_key])
    if not points:
        raise InputError(f"there is no image {image_key} in {store.address}: `samdb ingest` adds images")
    return _stored_images(store, points)[0]


def page_images(
    store: VectorStore, where: Where, start: str | None, limit: int, keys: Sequence[str] | None = None
) -> ImagePage:
    """Up to `limit` images that match, from the key `start` on.

    Conditions on what only segments have, such as a class, mean images with such a segment; `keys` are the
    answer of `matching_images` to the same `where`, for who asks for several pages.
    """
    if not is_about_segments(where):
        points, after = store.page(IMAGES, where, start=start, limit=limit)
        return ImagePage(_stored_images(store, points), after, store.count(IMAGES, where))
    all_keys = matching_images(store, where) if keys is None else keys
    rest = [key for key in all_keys if start is None or key >= start]
    points = store.get(IMAGES, rest[:limit]) if rest else []
    after = rest[limit] if len(rest) > limit else None
    return ImagePage(_stored_images(store, points), after, len(all_keys))


def matching_images(store: VectorStore, where: Where) -> list[str]:
    """The keys, sorted, of the images that match and have a segment that does."""
    of_segments = tuple(c for c in where if c.key not in _IMAGE_KEYS)
    of_images = tuple(c for c in where if c.key in _IMAGE_KEYS)
    found: set[str] = set()
    # an image id is unique in its dataset only
    for dataset in store.facet(SEGMENTS, "dataset", of_segments):
        here = (*of_segments, Condition("dataset", "=", (dataset,)))
        found.update(
            image_point_id(dataset, image_id) for image_id in store.facet(SEGMENTS, "image_id", here)
        )
    if of_images:
        found &= {p.id for p in store.scroll(IMAGES, of_images)}
    return sorted(found)


def is_about_segments(where: Where) -> bool:
    """Whether a filter of images is about what only their segments have."""
    return any(c.key not in _SHARED_KEYS | _IMAGE_KEYS for c in where)


def _of_image(dataset: str, image_id: str) -> Where:
    return (Condition("image_id", "=", (image_id,)), Condition("dataset", "=", (dataset,)))


def _stored_images(store: VectorStore, points: Sequence[Point]) -> tuple[StoredImage, ...]:
    return tuple(_stored_image(store, point) for point in points)


def _stored_image(store: VectorStore, point: Point) -> StoredImage:
    payload, entry = point.payload, ledger_entry(point.payload)
    dataset = str(payload["dataset"])
    # the ledger knows no attributes, but each segment has its frame's
    some, _ = store.page(SEGMENTS, _of_image(dataset, entry.image_id), limit=1)
    attributes = _frame_attributes(some[0].payload) if some else {}
    size = payload.get("size_hw")
    size_hw = (int(str(size[0])), int(str(size[1]))) if isinstance(size, (list, tuple)) else None
    return StoredImage(point.id, dataset, str(payload.get("split", "")), size_hw, entry, attributes)


def _frame_attributes(payload: Payload) -> dict[str, Attribute]:
    return {k: v for k in FRAME_KEYS if isinstance(v := payload.get(k), (str, bool, int, float))}
