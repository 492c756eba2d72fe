"""Embeddings to predictions: one batched nearest-prototype query, then the vote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samdb.bank.classifier import Neighbour, classify
from samdb.core.bank import BankCard, Prediction
from samdb.core.points import Hit, Query
from samdb.core.segment import Segment
from samdb.errors import BankError
from samdb.pipelines.bank_points import prototypes_where
from samdb.ports import VectorStore
from samdb.stores.layout import BANK

# more than any image has segments: one image is one call, a dataset a few
_BATCH = 1024


def classify_vectors(store: VectorStore, vectors: NDArray[np.float32], card: BankCard) -> list[Prediction]:
    """What the bank of `card` says of N segments, given their embeddings (N, D) of the card's recipe.

    The query scans the bank's few hundred prototypes exactly, so that an answer depends on no index.
    Raises BankError when the embeddings have another dimension than the bank.
    """
    if vectors.ndim != 2 or (len(vectors) and card.dim and vectors.shape[1] != card.dim):
        raise BankError(
            f"bank {card.label} compares {card.recipe!r} vectors of {card.dim} numbers, got an array of "
            f"shape {vectors.shape}: embed with the bank's recipe and model ({card.model})"
        )
    where = prototypes_where(card.name, card.version)
    predictions: list[Prediction] = []
    for start in range(0, len(vectors), _BATCH):
        queries = [
            Query(card.recipe, (row,), where=where, limit=card.k_neighbours, exact=True)
            for row in vectors[start : start + _BATCH]
        ]
        hits = store.query(BANK, queries)
        predictions += classify([[_neighbour(h) for h in row] for row in hits], card)
    return predictions


def classify_segments(
    store: VectorStore, segments: Sequence[Segment], card: BankCard, *, fingerprint: str = ""
) -> list[Prediction]:
    """What the bank of `card` says of segments; `fingerprint` names the model that embedded them.

    Raises BankError when they were embedded by another model, or lack the bank's recipe.
    """
    for model in sorted({s.model for s in segments}):
        check_bank_fits(card, model=model, fingerprint=fingerprint)
    lacking = [s.segment_id for s in segments if card.recipe not in s.embeddings]
    if lacking:
        raise BankError(
            f"{len(lacking)} of {len(segments)} segments have no {card.recipe!r} embedding, which bank "
            f"{card.label} compares: embed them with --recipes {card.recipe}"
        )
    if not segments:
        return []
    return classify_vectors(store, np.stack([s.embeddings[card.recipe] for s in segments]), card)


def check_bank_fits(card: BankCard, *, model: str, fingerprint: str = "", recipe: str | None = None) -> None:
    """Raise BankError unless the bank answers for vectors of this model, fingerprint and recipe.

    An empty fingerprint, on either side, is not compared: it is not known.
    """
    ours = f"{card.model}, recipe {card.recipe!r}"
    if model != card.model:
        raise BankError(
            f"bank {card.label} was made for {ours}, the segments come from {model}: classify with "
            f"--model {card.model}, or build a bank of {model} segments"
        )
    if recipe is not None and recipe != card.recipe:
        raise BankError(
            f"bank {card.label} was made for {ours}, the segments have recipe {recipe!r}: build a bank "
            f"with `samdb bank build --recipe {recipe}`"
        )
    if card.fingerprint and fingerprint and fingerprint != card.fingerprint:
        raise BankError(
            f"bank {card.label} was made with other weights or preprocessing of {card.model} "
            f"(fingerprint {card.fingerprint}, now {fingerprint}): ingest again and build a new bank, "
            "or use the weights of before"
        )


def _neighbour(hit: Hit) -> Neighbour:
    class_name = hit.payload.get("class_name")
    return Neighbour(hit.id, None if class_name is None else str(class_name), hit.score)
