"""Which stored segments a bank is learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from samdb.bank.table import BankSegment
from samdb.core.head import side_by_side
from samdb.core.points import Condition, Point, Where
from samdb.core.segment import FLAG_BACKGROUND, GRANULARITIES, Granularity
from samdb.errors import BankError
from samdb.ports import VectorStore
from samdb.stores.layout import SEGMENTS

LABELLED: Condition = Condition("label_source", "=", ("box", "mask"))
#: segments that somebody named in groups (`samdb discover --name`)
NAMED: Condition = Condition("label_source", "=", ("predicted",))


@dataclass(frozen=True, slots=True)
class BankSource:
    """Which segments to learn from.

    Those that a dataset labelled (a box or a mask), whole, of at least `min_area_px`, and that match
    `where`; with `parts` also the parts that inherited a label. `exclude` prunes classes; one with fewer
    than `min_segments` is left out. Of a class no more than `max_per_class` are read: the first by id,
    which is a random choice, as ids are hashes. With `named` also those that were named in groups, each as a
    whole. With `beside` a segment's vector is its embeddings of
    `recipe` and of these recipes side by side, as a head reads them.
    """

    recipe: str
    where: Where = ()
    exclude: tuple[str, ...] = ()
    min_segments: int = 1
    min_area_px: int = 0
    parts: bool = False
    max_per_class: int = 50_000
    beside: tuple[str, ...] = ()
    named: bool = False

    def __post_init__(self) -> None:
        if self.min_segments < 1 or self.max_per_class < 1 or self.min_area_px < 0:
            raise ValueError("min_segments and max_per_class must be at least 1, min_area_px at least 0")

    @property
    def recipes(self) -> tuple[str, ...]:
        """All recipes that are read."""
        return (self.recipe, *self.beside)

    @property
    def size_where(self) -> Where:
        """`where`, and large enough."""
        if self.min_area_px == 0:
            return self.where
        return (*self.where, Condition("area_px", ">=", (self.min_area_px,)))


@dataclass(frozen=True, slots=True)
class LabelledSegments:
    """What was read: the segments, the classes left out with their reason, and how many had no embedding."""

    segments: tuple[BankSegment, ...]
    model: str
    skipped: Mapping[str, str]
    n_without_embedding: int


def read_labelled(store: VectorStore, source: BankSource) -> LabelledSegments:
    """The labelled segments to learn from, class by class.

    Raises BankError when there is none, when an excluded class does not exist, or when the segments come
    from several models.
    """
    whole: Where = (LABELLED, Condition("granularity", "=", ("whole",)), *source.size_where)
    inherited: Where = (Condition("label_source", "=", ("inherited",)), *source.size_where)
    by_name: Where = (NAMED, *source.size_where)
    counts = Counter(store.facet(SEGMENTS, "class_name", whole))
    if source.named:
        counts.update(store.facet(SEGMENTS, "class_name", by_name))
    _check_classes(store, counts, source)
    skipped: dict[str, str] = {}
    segments: list[BankSegment] = []
    models: Counter[str] = Counter()
    lacking = 0
    for name in sorted(counts):
        if name in source.exclude:
            skipped[name] = "excluded"
            continue
        found: list[BankSegment] = []
        groups = [whole, *([inherited] if source.parts else []), *([by_name] if source.named else [])]
        for where in groups:
            of_class = (*where, Condition("class_name", "=", (name,)))
            points = store.scroll(SEGMENTS, of_class, source.recipes)
            for point in islice(points, source.max_per_class):
                if all(recipe in point.vectors for recipe in source.recipes):
                    segment = _bank_segment(point, source.recipes, name)
                    # the bank knows it as an object, whatever it is a part of
                    found.append(replace(segment, granularity="whole") if where is by_name else segment)
                    models[str(point.payload.get("model", ""))] += 1
                else:
                    lacking += 1
        n_whole = sum(s.granularity == "whole" for s in found)
        if n_whole < source.min_segments:
            skipped[name] = f"{n_whole} segments, fewer than {source.min_segments}"
        else:
            segments += found
    _check_segments(segments, models, lacking, source)
    return LabelledSegments(tuple(segments), next(iter(models)), skipped, lacking)


def read_background(store: VectorStore, source: BankSource, limit: int) -> list[BankSegment]:
    """Up to `limit` segments that ingest knows to be background: automatic ones, of labelled images, that
    touch no labelled object and were not named since. Of at least the source's area and matching its
    `where`; the first by id."""
    unnamed = Condition("label_source", "!=", NAMED.values)
    where: Where = (Condition("flags", "=", (FLAG_BACKGROUND,)), unnamed, *source.size_where)
    points = store.scroll(SEGMENTS, where, source.recipes)
    embedded = (p for p in points if all(recipe in p.vectors for recipe in source.recipes))
    return [_bank_segment(p, source.recipes, None) for p in islice(embedded, limit)]


def _bank_segment(point: Point, recipes: tuple[str, ...], class_name: str | None) -> BankSegment:
    """A stored segment, read with its vectors, as a bank learns from it."""
    granularity: dict[str, Granularity] = {g: g for g in GRANULARITIES}
    # image ids are unique within their dataset, label ids within their image
    image_key = f"{point.payload['dataset']}\x1f{point.payload['image_id']}"
    label_id = point.payload.get("label_id")
    vector = point.vectors[recipes[0]] if len(recipes) == 1 else side_by_side([point.vectors], recipes)[0]
    return BankSegment(
        segment_id=point.id,
        vector=vector,
        class_name=class_name,
        granularity=granularity[str(point.payload["granularity"])],
        image_key=image_key,
        object_key="" if label_id is None else f"{image_key}\x1f{label_id}",
    )


def batches(points: Iterator[Point], size: int) -> Iterator[Sequence[Point]]:
    """The points in lists of `size`, the last one shorter."""
    while batch := list(islice(points, size)):
        yield batch


def _check_classes(store: VectorStore, counts: Mapping[str, int], source: BankSource) -> None:
    if not counts:
        n = store.count(SEGMENTS)
        raise BankError(
            f"none of the {n} segments in {store.address} is labelled and matches: ingest a dataset with "
            "labels (`samdb ingest PATH --prompts labels`), or loosen --where and the minimum area"
        )
    unknown = sorted(set(source.exclude) - set(counts))
    if unknown:
        raise BankError(
            f"cannot exclude {', '.join(unknown)}: the labelled classes are {', '.join(sorted(counts))}"
        )


def _check_segments(
    segments: Sequence[BankSegment], models: Mapping[str, int], lacking: int, source: BankSource
) -> None:
    if not segments and lacking:
        raise BankError(
            f"no labelled segment has a {' and a '.join(map(repr, source.recipes))} embedding: choose "
            f"another --recipe, or ingest again with --recipes {','.join(source.recipes)}"
        )
    if not segments:
        raise BankError(
            f"no class is left to learn: each was excluded or has fewer than {source.min_segments} segments"
        )
    if len(models) > 1:
        raise BankError(
            f"the segments come from several models ({', '.join(sorted(models))}), whose vectors cannot be "
            "compared: choose one with --where model=NAME"
        )
