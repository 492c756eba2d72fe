"""Candidates for new classes: stored segments that the bank does not know, in groups that look alike."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb.bank.clusters import find_clusters
from samdb.bank.parse import items, mapping, text, whole
from samdb.core.bank import BankCard
from samdb.core.points import Condition, Point, Where
from samdb.core.segment import Segment
from samdb.errors import ConfigError, InputError
from samdb.pipelines.bank_points import prototypes_where
from samdb.pipelines.bank_source import NAMED, batches
from samdb.pipelines.classify_segments import check_bank_fits, classify_vectors
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import BANK, SEGMENTS

#: segments that nobody labelled
UNLABELLED = Condition("label_source", "=", ("none",))

_BATCH = 512


@dataclass(frozen=True, slots=True)
class DiscoverRequest:
    """Which segments to look at: unlabelled ones that match `where`, of at least `min_area_px`; at most
    `sample` unknown ones, the first by id (ids are hashes: a random choice). `min_size` segments that are
    `similarity` alike make a cluster (see `samdb.bank.clusters`)."""

    where: Where = ()
    min_area_px: int = 1024
    sample: int = 5_000
    min_size: int = 8
    similarity: float = 0.5

    def __post_init__(self) -> None:
        if self.min_size < 2 or self.sample < 2 or not 0.0 < self.similarity < 1.0:
            raise ConfigError("--min-size and --sample must be at least 2, --similarity between 0 and 1")


@dataclass(frozen=True, slots=True)
class UnknownCluster:
    """Unknown segments that look alike, the most central first; `number` counts from 1.

    `cohesion` is how alike (1: the same), `n_images` in how many images they lie, `nearest_class` the known
    class that most of them would have been (None: background alone had a vote), `nearest_share` how many.
    """

    number: int
    segments: tuple[Segment, ...]
    cohesion: float
    n_images: int
    nearest_class: str | None
    nearest_share: float


@dataclass(frozen=True, slots=True)
class DiscoverReport:
    """What was found among `n_unknown` unknown of `n_seen` unlabelled segments."""

    card: BankCard
    clusters: tuple[UnknownCluster, ...]
    n_seen: int
    n_unknown: int


def discover(store: VectorStore, card: BankCard, request: DiscoverRequest) -> DiscoverReport:
    """Classify stored unlabelled segments and group those that the bank does not know.

    Raises BankError when they come from another model than the bank, InputError when none is there.
    """
    where = (UNLABELLED, Condition("area_px", ">=", (request.min_area_px,)), *request.where)
    unknown: list[tuple[Point, str | None]] = []
    n_seen = 0
    points = (p for p in store.scroll(SEGMENTS, where, (card.recipe,)) if card.recipe in p.vectors)
    for batch in batches(points, _BATCH):
        for model in sorted({str(p.payload.get("model", "")) for p in batch}):
            check_bank_fits(card, model=model)
        n_seen += len(batch)
        answers = classify_vectors(store, np.stack([p.vectors[card.recipe] for p in batch]), card)
        unknown += [(p, a.best_guess) for p, a in zip(batch, answers, strict=True) if a.class_name is None]
        if len(unknown) >= request.sample:
            break
    if not n_seen:
        raise InputError(
            f"no unlabelled segment with a {card.recipe!r} embedding matches: ingest with `--prompts both` "
            "or `--prompts auto`, which store what SAM finds by itself, or loosen --where and --min-area-px"
        )
    unknown = unknown[: request.sample]
    if not unknown:
        return DiscoverReport(card, (), n_seen, 0)
    groups = find_clusters(
        np.stack([p.vectors[card.recipe] for p, _ in unknown]),
        _middle(store, card),
        min_size=request.min_size,
        similarity=request.similarity,
    )
    clusters = []
    for number, group in enumerate(groups, 1):
        members = [unknown[i] for i in group.rows.tolist()]
        ((nearest, count),) = Counter(guess for _, guess in members).most_common(1)
        segments = tuple(point_to_segment(Point(p.id, {}, p.payload)) for p, _ in members)
        clusters.append(
            UnknownCluster(
                number=number,
                segments=segments,
                cohesion=group.cohesion,
                n_images=len({(s.dataset, s.image_id) for s in segments}),
                nearest_class=nearest,
                nearest_share=count / len(members),
            )
        )
    return DiscoverReport(card, tuple(clusters), n_seen, len(unknown))


def _middle(store: VectorStore, card: BankCard) -> NDArray[np.float64]:
    """The mean of the bank's prototypes (D,): what all that it knows has in common."""
    points = store.scroll(BANK, prototypes_where(card.name, card.version), (card.recipe,))
    return np.asarray(np.mean([p.vectors[card.recipe] for p in points], axis=0, dtype=np.float64))


def write_clusters(report: DiscoverReport, path: Path) -> None:
    """Write which segments each cluster has, as JSON, for naming them later.

    Raises ConfigError when `path` cannot be written.
    """
    content = {
        "bank": report.card.label,
        "clusters": {str(c.number): [s.segment_id for s in c.segments] for c in report.clusters},
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {exc.strerror or exc}") from exc


def read_clusters(path: Path) -> Mapping[int, tuple[str, ...]]:
    """The segment ids of each cluster of a file that `write_clusters` wrote. Raises InputError on another."""
    try:
        raw = mapping(mapping(json.loads(path.read_text(encoding="utf-8")))["clusters"])
        return {whole(int(n)): tuple(text(i) for i in items(ids)) for n, ids in raw.items()}
    except (OSError, KeyError, ValueError) as exc:
        raise InputError(
            f"{path} cannot be read as clusters ({exc}): write it with `samdb discover --out DIR`"
        ) from exc


def name_cluster(store: VectorStore, segment_ids: Sequence[str], class_name: str) -> int:
    """Give these segments a class, marked as predicted; how many got it.

    Those that have a label meanwhile, or are not there any more, are left alone.
    """
    if not class_name.strip():
        raise ConfigError("a class needs a name")
    there = store.get(SEGMENTS, list(segment_ids)) if segment_ids else []
    free = [p.id for p in there if p.payload.get("label_source") in ("none", "predicted")]
    store.set_payload(SEGMENTS, free, {"class_name": class_name, "label_source": "predicted"})
    store.flush(SEGMENTS)
    return len(free)


def unname(store: VectorStore, class_name: str) -> int:
    """Take a class that `name_cluster` gave from all segments that have it; how many.

    Raises InputError when there is none.
    """
    where = (NAMED, Condition("class_name", "=", (class_name,)))
    found = [p.id for p in store.scroll(SEGMENTS, where)]
    if not found:
        named = ", ".join(store.facet(SEGMENTS, "class_name", (NAMED,))) or "none"
        raise InputError(f"no segment was named {class_name!r}; named classes are: {named}")
    store.set_payload(SEGMENTS, found, {"class_name": None, "label_source": "none"})
    store.flush(SEGMENTS)
    return len(found)
