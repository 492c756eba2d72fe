"""The application: every route, the guard before them, one shape for every failure."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from samdb._version import __version__
from samdb.api import Database
from samdb.server import (
    routes_banks,
    routes_browse,
    routes_labels,
    routes_pictures,
    routes_search,
    routes_state,
)
from samdb.server.backend import Backend
from samdb.server.errors import handle_errors, not_found
from samdb.server.examples import add_examples
from samdb.server.guard import Guard, Keyring
from samdb.server.models import ErrorAnswer
from samdb.server.options import ServeOptions

PAGE = Path(__file__).parent / "page"

_ABOUT = """Images, their segments, and "segments like this one".

Boxes are `[x0, y0, x1, y1]` in px of the upright image, x1 and y1 exclusive. `where` is a filter as on the
command line: `class_name=car`, `area_px>=2000`. Every failure is `{"error": {"code", "message"}}`."""
_FAILURES = {
    400: "the request cannot be used: a filter, a recipe, a prompt",
    401: "an API key is needed",
    404: "there is no such thing",
    409: "the store or its bank is not ready for that",
    422: "the request is not what the schema says",
}


def create_app(db: Database, options: ServeOptions) -> FastAPI:
    """The application for a database, which is closed when the server ends."""
    keyring = Keyring(options.api_key)
    backend = Backend(db, options)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        backend.close()

    app = _App(
        title="samdb",
        version=__version__,
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": ErrorAnswer, "description": text} for status, text in _FAILURES.items()},
    )
    app.state.backend, app.state.keyring = backend, keyring
    handle_errors(app)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=4)
    app.add_middleware(Guard, options=options, keyring=keyring)
    for routes in (routes_state, routes_browse, routes_pictures, routes_search, routes_labels, routes_banks):
        app.include_router(routes.router)
    _add_page(app)
    return app


class _App(FastAPI):
    """FastAPI, whose document has an example of everything."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            add_examples(super().openapi())
        return super().openapi()


def _add_page(app: FastAPI) -> None:
    """The page and its files; nothing but that folder is served."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        if not (PAGE / "index.html").is_file():
            raise not_found("this samdb has no page: /openapi.json describes its API")
        return FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-cache"})

    if PAGE.is_dir():
        app.mount("/assets", _Assets(directory=PAGE), name="assets")


class _Assets(StaticFiles):
    """The page's files; a browser asks whether its own are still the same."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """A file, or that it has not changed."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response
