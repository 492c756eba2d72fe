"""How well a bank classifies, and a search retrieves, the labelled segments of a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from samdb.core.bank import BankCard, Prediction
from samdb.core.metrics import ClassificationFigures, balanced_precision, classification_figures
from samdb.core.points import Condition, Point, Query, Where
from samdb.errors import BankError
from samdb.pipelines.bank_source import LABELLED, batches
from samdb.pipelines.classify_segments import check_bank_fits, classify_vectors
from samdb.pipelines.project import projected_by
from samdb.ports import VectorStore
from samdb.stores.layout import SEGMENTS

_WHOLE = Condition("granularity", "=", ("whole",))
_BATCH = 512


@dataclass(frozen=True, slots=True)
class ScoreSource:
    """Which labelled whole segments to judge by: those that match `where`, of `classes` (empty: all), whose
    label's box (the mask's where the dataset gave none) has at least `min_box_px2`."""

    where: Where = ()
    classes: tuple[str, ...] = ()
    min_box_px2: float = 0.0

    @property
    def conditions(self) -> Where:
        """What the store can decide of it."""
        of_classes = (Condition("class_name", "=", self.classes),) if self.classes else ()
        return (LABELLED, _WHOLE, *self.where, *of_classes)


@dataclass(frozen=True, slots=True)
class BankScore:
    """How a bank did.

    `forced` judges the best guess of every segment; `answered` the answers that were not rejected, a
    rejection counting as wrong. `rejected` is the share of segments without an answer, and
    `accepted_accuracy` the share of right ones among the answers given (None when there is none).
    """

    card: BankCard
    forced: ClassificationFigures
    answered: ClassificationFigures
    rejected: float
    accepted_accuracy: float | None


@dataclass(frozen=True, slots=True)
class SearchScore:
    """How a search did: `precision` is class-balanced precision at `k` over `n` queries."""

    recipe: str
    k: int
    n: int
    precision: float


def score_bank(store: VectorStore, card: BankCard, source: ScoreSource) -> BankScore:
    """Classify stored labelled segments and compare with their labels.

    Raises BankError when none matches, or when they come from another model than the bank.
    """
    truth: list[str] = []
    predictions: list[Prediction] = []
    judged = replace(source, where=projected_by(card, source.where))
    for batch in _labelled(store, judged, card.recipe):
        for model in sorted({str(p.payload.get("model", "")) for p in batch}):
            check_bank_fits(card, model=model)
        predictions += classify_vectors(store, np.stack([p.vectors[card.recipe] for p in batch]), card)
        truth += [str(p.payload["class_name"]) for p in batch]
    classes = source.classes or None
    given = [p.class_name for p in predictions]
    right = [t == g for t, g in zip(truth, given, strict=True) if g is not None]
    return BankScore(
        card=card,
        forced=classification_figures(truth, [p.best_guess for p in predictions], classes),
        answered=classification_figures(truth, given, classes),
        rejected=given.count(None) / len(given),
        accepted_accuracy=sum(right) / len(right) if right else None,
    )


def score_search(
    store: VectorStore, recipe: str, source: ScoreSource, gallery: Where, *, k: int = 10
) -> SearchScore:
    """Search with each labelled segment of `source` among the labelled whole segments that match `gallery`
    (its own id left out), and count how many of the `k` best are of its class.

    Raises BankError when no segment matches `source`.
    """
    truth: list[str] = []
    neighbours: list[Sequence[str | None]] = []
    for batch in _labelled(store, source, recipe):
        queries = [
            Query(
                recipe,
                (p.vectors[recipe],),
                where=(LABELLED, _WHOLE, *gallery),
                exclude_ids=frozenset({p.id}),
                limit=k,
            )
            for p in batch
        ]
        truth += [str(p.payload["class_name"]) for p in batch]
        neighbours += [
            [str(h.payload["class_name"]) for h in hits] for hits in store.query(SEGMENTS, queries)
        ]
    return SearchScore(recipe, k, len(truth), balanced_precision(truth, neighbours))


def _labelled(store: VectorStore, source: ScoreSource, recipe: str) -> Iterator[Sequence[Point]]:
    points = store.scroll(SEGMENTS, source.conditions, (recipe,))
    some = False
    for batch in batches((p for p in points if recipe in p.vectors and _large(p, source)), _BATCH):
        some = True
        yield batch
    if not some:
        raise BankError(
            f"no labelled segment with a {recipe!r} embedding matches: ingest the split to judge by "
            "(`samdb ingest PATH --split val --prompts labels`), or loosen --where"
        )


def _large(point: Point, source: ScoreSource) -> bool:
    if source.min_box_px2 <= 0:
        return True
    box = point.payload.get("label_box_xyxy") or point.payload["box_xyxy"]
    assert isinstance(box, Sequence)
    x0, y0, x1, y1 = (float(v) for v in box if isinstance(v, (int, float)))
    return (x1 - x0) * (y1 - y0) >= source.min_box_px2
