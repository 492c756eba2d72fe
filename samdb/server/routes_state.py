"""How the server is, what it holds, and who may ask."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from samdb._version import __version__
from samdb.api.answering import all_banks
from samdb.errors import SamdbError
from samdb.pipelines.browse import count_datasets
from samdb.server.backend import client_of
from samdb.server.bodies import LoginIn
from samdb.server.errors import ApiError
from samdb.server.guard import Keyring
from samdb.server.models import (
    DatasetInfo,
    ErrorAnswer,
    Health,
    Info,
    Limits,
    LoggedIn,
    Readiness,
    Split,
    Totals,
)
from samdb.server.params import TheBackend
from samdb.server.showing import answer

router = APIRouter()


@router.get("/health/live", tags=["state"])
async def live() -> Health:
    """Whether the server runs."""
    return Health()


@router.get("/health/ready", tags=["state"], responses={503: {"model": Readiness}})
def ready(backend: TheBackend) -> Readiness:
    """Whether the server can answer: 503 while its store cannot be asked."""
    state = "ok"
    try:
        backend.db.store.collections()
    except SamdbError as exc:
        state = str(exc)
    found = Readiness(
        status="ok" if state == "ok" else "unavailable",
        store=state,
        model=backend.db.settings.model,
        sam_loaded=backend.sam_loaded,
    )
    return found if state == "ok" else answer(found, 503)  # type: ignore[return-value]  # FastAPI takes both


@router.get("/api/info", tags=["state"])
def info(backend: TheBackend) -> Info:
    """The server, its store and its limits; an empty store has no datasets."""
    store, options = backend.db.store, backend.options
    datasets = backend.memo.get("datasets", lambda: count_datasets(store))
    active = next((b for b in all_banks(store, backend.db.settings.model) if b.active), None)
    return Info(
        version=__version__,
        store=store.address,
        model=backend.db.settings.model,
        sam_loaded=backend.sam_loaded,
        recipes=backend.recipes(),
        default_recipe=backend.default_recipe(),
        active_bank=None if active is None else active.card.label,
        active_bank_built_in=active is not None and active.built_in,
        auth=options.api_key is not None,
        limits=Limits(
            max_upload_bytes=options.max_upload_bytes,
            max_pixels=options.max_pixels,
            max_results=options.max_results,
        ),
        datasets=[
            DatasetInfo(
                name=d.name,
                splits=[Split(name=s.name, n_images=s.n_images) for s in d.splits],
                n_images=d.n_images,
                n_segments=d.n_segments,
            )
            for d in datasets
        ],
        totals=Totals(images=sum(d.n_images for d in datasets), segments=sum(d.n_segments for d in datasets)),
        keys=sorted(backend.keys()),
    )


@router.post("/api/login", tags=["state"], responses={429: {"model": ErrorAnswer}})
async def login(request: Request, body: LoginIn) -> LoggedIn:
    """Get a cookie for the API key: the way of a page in a browser. Programs send the key itself."""
    keyring: Keyring = request.app.state.keyring
    keyring.attempts.take(client_of(request))
    if not keyring.fits(body.key):
        raise ApiError(
            401, "wrong_key", "that is not the server's API key: it was set in SAMDB_SERVE_API_KEY"
        )
    response: Response = answer(LoggedIn())
    response.set_cookie(
        keyring.cookie,
        keyring.session,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response  # type: ignore[return-value]  # FastAPI takes both
