"""Memory banks and what they are made of."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from samdb.api.answering import all_banks
from samdb.core.bank import BankCard
from samdb.errors import BankError
from samdb.pipelines.bank_versions import BankListing
from samdb.pipelines.bank_view import show_prototypes
from samdb.server.bodies import Text
from samdb.server.errors import not_found
from samdb.server.models import BankClass, BankInfo, BankList, PrototypeInfo, PrototypeList
from samdb.server.params import TheBackend
from samdb.server.showing import answer, show_segment

router = APIRouter(prefix="/api/banks", tags=["banks"])


@router.get("", response_model=BankList)
def banks(backend: TheBackend) -> Response:
    """All banks, by name and version, and last the one that comes with samdb, where it is for this model."""
    found = all_banks(backend.db.store, backend.db.settings.model)
    return answer(BankList(items=[_bank(b) for b in found]))


@router.get("/{label}/prototypes", response_model=PrototypeList)
def prototypes(
    backend: TheBackend,
    label: Annotated[Text, Path(description="name@version, or a name: its newest", examples=["default@1"])],
    class_name: Annotated[Text | None, Query(examples=["car"])] = None,
    limit: Annotated[int, Query(ge=1, le=5000, examples=[500])] = 500,
) -> Response:
    """A bank's prototypes, each with the real segment that is closest to it."""
    try:
        source = backend.answering(label)
    except BankError as exc:
        raise not_found(str(exc)) from exc
    card = source.card
    found = show_prototypes(source.store, card, class_name, limit)
    items = [
        PrototypeInfo(
            prototype_id=p.prototype.prototype_id,
            class_name=p.prototype.class_name,
            origin=p.prototype.origin,
            granularity=p.prototype.granularity,
            count=p.prototype.count,
            threshold=card.thresholds.get(p.prototype.class_name or ""),
            exemplar=None if p.exemplar is None else show_segment(p.exemplar),
        )
        for p in found
    ]
    return answer(PrototypeList(items=items))


def _bank(listing: BankListing) -> BankInfo:
    card = listing.card
    return BankInfo(
        label=card.label,
        name=card.name,
        version=card.version,
        active=listing.active,
        built_in=listing.built_in,
        trained_on=_told(card, "trained_on"),
        data_licence=_told(card, "data_licence"),
        model=card.model,
        recipe=card.recipe,
        n_prototypes=card.n_prototypes,
        classes=[
            BankClass(class_name=c, count=card.class_counts.get(c, 0), threshold=card.thresholds.get(c))
            for c in card.classes
        ],
        metrics=dict(card.metrics),
        created=card.created_at,
    )


def _told(card: BankCard, setting: str) -> str | None:
    value = card.settings.get(setting)
    return None if value is None else str(value)
