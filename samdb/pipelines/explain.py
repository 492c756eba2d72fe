"""Why a segment got its answer: the prototypes nearest to it, the real segments behind them, its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from samdb.bank.parse import optional_text, text, whole
from samdb.core.bank import BankCard, Prediction
from samdb.core.points import Hit, Query
from samdb.core.segment import Segment
from samdb.errors import BankError
from samdb.pipelines.bank_points import prototypes_where
from samdb.pipelines.classify import ClassifiedSegment
from samdb.pipelines.search import image_paths
from samdb.ports import VectorStore
from samdb.stores.codec import point_to_segment
from samdb.stores.layout import BANK, SEGMENTS

# prototypes shown when fewer than these vote
_AT_LEAST = 5


@dataclass(frozen=True, slots=True)
class Witness:
    """A prototype near the segment: `class_name` None is background.

    `cosine` is its similarity to the segment, `share` its part of the whole vote (0 to 1; 0 for one that is
    too far down to vote), `count` how many segments it stands for. `exemplar` is the real segment closest to
    it and `image_path` that one's image; None where this store does not have it (the bank came from
    elsewhere, or the image was deleted).
    """

    prototype_id: str
    class_name: str | None
    granularity: str
    cosine: float
    share: float
    count: int
    exemplar_id: str | None
    exemplar: Segment | None
    image_path: Path | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a segment got its answer.

    `margin` is the score of the likeliest class less that of the next, background being one of them; 1 means
    that nothing else had a vote. `witnesses` are the nearest prototypes, those that voted first. `votes` is
    what its parts say.
    """

    segment: Segment
    prediction: Prediction
    margin: float
    witnesses: tuple[Witness, ...]
    votes: Mapping[str | None, float]
    parts: int


def explain(store: VectorStore, card: BankCard, found: Sequence[ClassifiedSegment]) -> list[Explanation]:
    """The explanation of each classified segment, in their order.

    Raises BankError when a prototype is damaged.
    """
    where = prototypes_where(card.name, card.version)
    queries = [
        Query(
            card.recipe,
            (f.segment.embeddings[card.recipe],),
            where=where,
            limit=max(card.k_neighbours, _AT_LEAST),
            exact=True,
        )
        for f in found
    ]
    hits = store.query(BANK, queries) if queries else []
    exemplars = _exemplars(store, hits)
    paths = image_paths(store, list(exemplars.values()))
    return [
        Explanation(
            segment=f.segment,
            prediction=f.prediction,
            margin=_margin(f.prediction),
            witnesses=tuple(_witnesses(row, card, exemplars, paths)),
            votes=f.votes,
            parts=f.parts,
        )
        for f, row in zip(found, hits, strict=True)
    ]


def _exemplars(store: VectorStore, hits: Sequence[Sequence[Hit]]) -> dict[str, Segment]:
    named = (h.payload.get("exemplar_id") for row in hits for h in row)
    ids = list(dict.fromkeys(str(i) for i in named if i is not None))
    return {p.id: point_to_segment(p) for p in store.get(SEGMENTS, ids)} if ids else {}


def _witnesses(
    hits: Sequence[Hit],
    card: BankCard,
    exemplars: Mapping[str, Segment],
    paths: Mapping[tuple[str, str], Path],
) -> list[Witness]:
    cosines = np.array([h.score for h in hits], dtype=np.float64)
    # the best taken off first, as in the vote itself
    weights = np.exp((cosines - cosines.max(initial=-1.0)) / card.vote_temperature)
    weights[card.k_neighbours :] = 0.0
    shares = weights / max(float(weights.sum()), np.finfo(np.float64).tiny)
    found = []
    for hit, share in zip(hits, shares.tolist(), strict=True):
        try:
            exemplar_id = optional_text(hit.payload.get("exemplar_id"))
            exemplar = None if exemplar_id is None else exemplars.get(exemplar_id)
            found.append(
                Witness(
                    prototype_id=hit.id,
                    class_name=optional_text(hit.payload.get("class_name")),
                    granularity=text(hit.payload.get("granularity")),
                    cosine=hit.score,
                    share=share,
                    count=whole(hit.payload.get("count")),
                    exemplar_id=exemplar_id,
                    exemplar=exemplar,
                    image_path=None if exemplar is None else paths.get((exemplar.dataset, exemplar.image_id)),
                )
            )
        except ValueError as exc:
            raise BankError(
                f"prototype {hit.id} is damaged ({exc}): build the bank again with `samdb bank build`"
            ) from exc
    return found


def _margin(prediction: Prediction) -> float:
    first, *others = [score for _, score in prediction.scores] or [0.0]
    return first - max(others) if others else 1.0
