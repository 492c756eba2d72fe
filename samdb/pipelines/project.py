"""Write what a head makes of every stored segment, so that the store can be searched by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from samdb.core.bank import BankCard
from samdb.core.head import HEAD_KEY, PROJECTED, Head
from samdb.core.points import Condition, Where
from samdb.errors import BankError
from samdb.pipelines.bank_source import batches
from samdb.pipelines.head_store import load_head
from samdb.pipelines.publish_bank import set_active
from samdb.ports import VectorStore
from samdb.stores.layout import SEGMENTS

# 512 segments of 1,600 numbers are 3 MB; a larger batch is no faster
_BATCH = 512
# batches made durable together; a killed run repeats at most these
_BATCHES_PER_FLUSH = 20


@dataclass(frozen=True, slots=True)
class ProjectReport:
    """What was done: `n_projected` segments got a new vector, `n_before` had it, `n_lacking` lack an
    embedding that the head reads."""

    n_projected: int
    n_before: int
    n_lacking: int


def project_segments(
    store: VectorStore, card: BankCard, head: Head, progress: Callable[[int, int], None] | None = None
) -> ProjectReport:
    """Give every stored segment the `proj` vector of the bank's head, and a mark of which head that was.

    Marked segments are passed over: a run that was stopped goes on where it was. A vector is written before
    its mark, so that a kill between the two only repeats it. Raises BankError when the head was made for
    other segments: of another model, with other embeddings, or of other sizes.
    """
    if progress:
        progress(0, 1)
    n_segments = store.count(SEGMENTS)
    to_do = (Condition(HEAD_KEY, "!=", (card.head,)),)
    n_to_do = store.count(SEGMENTS, to_do)
    _check_models(store, card, n_to_do)
    done = lacking = 0
    for number, batch in enumerate(batches(store.scroll(SEGMENTS, to_do, head.recipes), _BATCH), 1):
        points = [p for p in batch if all(r in p.vectors for r in head.recipes)]
        lacking += len(batch) - len(points)
        if points:
            try:
                rows = head.project_named([p.vectors for p in points])
            except ValueError as exc:
                raise BankError(
                    f"bank {card.label} does not fit the segments in {store.address} ({exc}): train one of "
                    "these segments with `samdb bank train`"
                ) from exc
            store.set_vectors(SEGMENTS, {p.id: {PROJECTED: v} for p, v in zip(points, rows, strict=True)})
            store.set_payload(SEGMENTS, [p.id for p in points], {HEAD_KEY: card.head})
            done += len(points)
        if number % _BATCHES_PER_FLUSH == 0:
            store.flush(SEGMENTS)
        if progress:
            progress(done + lacking, n_to_do)
    if lacking and lacking == n_segments:
        raise BankError(
            f"bank {card.label} reads the embeddings {', '.join(head.recipes)}, which no segment in "
            f"{store.address} has: ingest again with --recipes {','.join(head.recipes)}, or train a bank of "
            "what is stored with `samdb bank train`"
        )
    store.flush(SEGMENTS)
    return ProjectReport(done, n_segments - n_to_do, lacking)


def make_active(
    store: VectorStore, card: BankCard, progress: Callable[[int, int], None] | None = None
) -> ProjectReport | None:
    """Make a bank the active one. If it has a head, all stored segments get their projected vectors first: a
    run that is stopped leaves the bank of before active, and the next one goes on. None without a head.

    Raises BankError as `project_segments`.
    """
    head = load_head(store, card)
    report = None if head is None else project_segments(store, card, head, progress)
    set_active(store, card)
    return report


def projected_by(card: BankCard, where: Where = ()) -> Where:
    """The filter, with these conditions besides, that leaves segments whose vectors the bank can compare."""
    return (*where, Condition(HEAD_KEY, "=", (card.head,))) if card.head else where


def _check_models(store: VectorStore, card: BankCard, n_to_do: int) -> None:
    if not n_to_do:
        return
    strangers = store.facet(SEGMENTS, "model", (Condition("model", "!=", (card.model,)),))
    if strangers:
        raise BankError(
            f"bank {card.label} was made for {card.model}, the store at {store.address} holds segments of "
            f"{', '.join(sorted(strangers))}: train a bank of these with `samdb bank train`"
        )
