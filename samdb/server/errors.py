"""Every failure in one shape: `{"error": {"code": ..., "message": ...}}`, saying what to do next."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from samdb.errors import (
    BankError,
    ConfigError,
    DeviceMemoryError,
    FetchError,
    ImageError,
    InputError,
    ModelError,
    SamdbError,
    StoreError,
    StoreLayoutError,
    StoreRejectedError,
    StoreUnavailableError,
    WeightsError,
)

_log = logging.getLogger("samdb.server")

#: from the most special to the most general: the first that fits counts
_STATUS: tuple[tuple[type[SamdbError], int, str], ...] = (
    (ImageError, 422, "bad_image"),
    (InputError, 400, "bad_input"),
    (ConfigError, 400, "bad_request"),
    (BankError, 409, "no_bank"),
    (WeightsError, 503, "no_weights"),
    (FetchError, 503, "no_weights"),
    (DeviceMemoryError, 503, "no_memory"),
    (ModelError, 400, "bad_input"),
    (StoreRejectedError, 400, "bad_request"),
    (StoreLayoutError, 409, "store_layout"),
    (StoreUnavailableError, 503, "store_unavailable"),
    (StoreError, 503, "store_failed"),
    (SamdbError, 500, "failed"),
)
_CODES: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    400: "bad_request",
    413: "too_large",
    415: "unsupported_media_type",
}
_MESSAGES: Mapping[int, str] = {
    404: "there is nothing at this address: /openapi.json lists what there is",
    405: "this address takes another method: /openapi.json lists which",
}


class ApiError(Exception):
    """A failure of the HTTP API itself: its status, a code for programs, a message for people."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def not_found(what: str) -> ApiError:
    """The error for something that is not there."""
    return ApiError(404, "not_found", what)


def error_body(code: str, message: str) -> dict[str, dict[str, str]]:
    """The body of every error; text that is no Unicode is made so."""
    return {"error": {"code": code, "message": message.encode("utf-8", "replace").decode("utf-8")}}


def error_response(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer that tells of a failure."""
    return JSONResponse(error_body(code, message), status, dict(headers or {}))


def handle_errors(app: FastAPI) -> None:
    """Give every failure of the app the one shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(SamdbError, _samdb_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def _api_error(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, ApiError)
    return error_response(exc.status, exc.code, str(exc), exc.headers)


def _samdb_error(_: Request, exc: Exception) -> Response:
    status, code = next((status, code) for kind, status, code in _STATUS if isinstance(exc, kind))
    if status >= 500:
        _log.error("%s: %s", type(exc).__name__, exc)
    return error_response(status, code, str(exc))


def _invalid(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    said = []
    for fault in exc.errors()[:5]:
        place = ".".join(str(part) for part in fault["loc"] if part != "body")
        reason = str(fault["msg"]).removeprefix("Value error, ")
        said.append(f"{place}: {reason}" if place else reason)
    return error_response(422, "invalid", "; ".join(said))


def _http_error(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    code = _CODES.get(exc.status_code, "failed")
    message = _MESSAGES.get(exc.status_code, str(exc.detail))
    return error_response(exc.status_code, code, message, exc.headers)


def _unexpected(request: Request, exc: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=exc)
    return error_response(500, "internal", "samdb failed at this; its log says where: please report it")
