"""What the Qdrant client raises, over REST and gRPC, in samdb's words; and which of it is worth a retry."""

from __future__ import annotations

import json

import grpc
import httpx
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from samdb.errors import (
    StoreAccessError,
    StoreError,
    StoreLayoutError,
    StoreRejectedError,
    StoreUnavailableError,
)

#: every class that the client raises by itself; a test holds this against the client's modules
FOREIGN = (ApiException, QdrantException, grpc.RpcError, httpx.HTTPError, OSError)

_BUSY_HTTP = frozenset({408, 429, 502, 503, 504})
_BUSY_GRPC = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
)
#: what a cluster says, as an inner error, while a node is away, a shard moves or a leader is chosen
_SETTLING = (
    "replica",
    "shard transfer",
    "consensus",
    "raft",
    "transport error",
    "tcp connect",
    "connection refused",
    "connection reset",
    "connection closed",
    "timed out",
    "timeout",
    "unavailable",
    "peer",
)
_INNER_GRPC = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN}
)
_KEY_GRPC = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


def is_transient(exc: BaseException) -> bool:
    """Whether the same call may succeed in a moment. All calls of the store can be repeated safely."""
    if isinstance(exc, grpc.RpcError):
        code = _grpc_code(exc)
        return code in _BUSY_GRPC or (code in _INNER_GRPC and _is_settling(_detail(exc)))
    if isinstance(exc, UnexpectedResponse):
        return exc.status_code in _BUSY_HTTP or (exc.status_code == 500 and _is_settling(_detail(exc)))
    if isinstance(exc, ResponseHandlingException):
        return isinstance(exc.source, (httpx.TransportError, OSError)) and not _is_certificate(
            str(exc.source)
        )
    return isinstance(exc, (ResourceExhaustedResponse, httpx.TransportError, OSError))


def translate(address: str, exc: BaseException) -> StoreError:
    """The StoreError for one of the client's exceptions."""
    text = _detail(exc)
    if _is_certificate(text):
        return StoreUnavailableError(
            f"cannot trust the certificate of {address}: give its authority's file with the TLS CA setting "
            f"({text})"
        )
    if isinstance(exc, UnexpectedResponse) and exc.status_code in (401, 403):
        return _key_refused(address)
    if isinstance(exc, grpc.RpcError) and _grpc_code(exc) in _KEY_GRPC:
        return _key_refused(address)
    if is_transient(exc):
        return StoreUnavailableError(
            f"the Qdrant server at {address} does not answer: start one with `docker compose up -d`, or "
            f"check --store / SAMDB_STORE ({text})"
        )
    lowered = text.lower()
    if "no space left" in lowered or "disk" in lowered:
        return StoreError(
            f"the disk of the server at {address} is full: free some space and try again ({text})"
        )
    if "collection" in lowered and ("doesn't exist" in lowered or "not found" in lowered):
        return StoreLayoutError(
            f"the server at {address} lacks a collection: run `samdb ingest` to fill it, or check --store "
            f"({text})"
        )
    if _is_refusal(exc):
        return StoreRejectedError(f"the server at {address} refused the request: {text}")
    return StoreError(f"the server at {address} failed: {text}")


def already_exists(exc: BaseException) -> bool:
    """Whether the failure says that somebody else has just created the same thing."""
    return "already exists" in _detail(exc).lower()


def _key_refused(address: str) -> StoreError:
    return StoreAccessError(f"the server at {address} refused the API key: check SAMDB_API_KEY")


def _is_settling(text: str) -> bool:
    lowered = text.lower()
    return any(sign in lowered for sign in _SETTLING) and "no space left" not in lowered


def _is_refusal(exc: BaseException) -> bool:
    if isinstance(exc, UnexpectedResponse):
        return exc.status_code is not None and 400 <= exc.status_code < 500
    if isinstance(exc, grpc.RpcError):
        return _grpc_code(exc) in (
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.NOT_FOUND,
            grpc.StatusCode.ALREADY_EXISTS,
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.OUT_OF_RANGE,
        )
    return False


def _is_certificate(text: str) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in text


def _grpc_code(exc: grpc.RpcError) -> grpc.StatusCode | None:
    return exc.code() if isinstance(exc, grpc.Call) else None


def _detail(exc: BaseException) -> str:
    """The server's own sentence, in one line and short; never a header, which may hold the key."""
    if isinstance(exc, grpc.RpcError) and isinstance(exc, grpc.Call):
        text = exc.details() or str(_grpc_code(exc))
    elif isinstance(exc, UnexpectedResponse):
        text = _http_sentence(exc)
    elif isinstance(exc, ResponseHandlingException):
        text = f"{type(exc.source).__name__}: {exc.source}"
    else:
        text = f"{type(exc).__name__}: {exc}"
    return " ".join(text.split())[:300]


def _http_sentence(exc: UnexpectedResponse) -> str:
    try:
        return str(json.loads(exc.content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {exc.status_code} {exc.reason_phrase}"
