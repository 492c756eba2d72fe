"""The door: who may ask, from where, and how much at once. Plain ASGI, before anything is parsed."""

from __future__ import annotations

import hashlib
import hmac
import http.cookies
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samdb.server.errors import error_response
from samdb.server.options import ServeOptions, is_loopback
from samdb.server.rate import RateLimit

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
#: what anybody may see: the page itself, that the server lives, and how to log in
_FREE = frozenset(
    {"/", "/health/live", "/health/ready", "/api/login", "/openapi.json", "/docs", "/favicon.ico"}
)
_FREE_FOLDER = "/assets/"
_UPLOADS = "/api/uploads"
#: what a multipart body has beside the file
_MULTIPART_BYTES = 10_000

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}


class Keyring:
    """The API key, and the session that stands for it in a cookie until the server ends."""

    cookie = "samdb_session"

    def __init__(self, api_key: str | None) -> None:
        self._key = api_key
        self.session = "" if api_key is None else _digest(secrets.token_hex(32), api_key)
        self.attempts = RateLimit(0.5, 10)

    @property
    def needed(self) -> bool:
        """Whether a key must be shown."""
        return self._key is not None

    def fits(self, key: str) -> bool:
        """Whether it is the key; how long that takes tells nothing of it."""
        return self._key is None or hmac.compare_digest(_digest("", key), _digest("", self._key))

    def admits(self, headers: Headers) -> bool:
        """Whether a request shows the key, or the session's cookie."""
        if not self.needed:
            return True
        kind, _, token = headers.get("authorization", "").partition(" ")
        shown = token.strip() if kind.lower() == "bearer" else headers.get("x-api-key")
        if shown is not None:
            return self.fits(shown)
        cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except http.cookies.CookieError:
            return False
        held = cookies.get(self.cookie)
        return held is not None and hmac.compare_digest(held.value.encode(), self.session.encode())


class Guard:
    """Refuses what must not come in, limits bodies and requests under way, adds the security headers."""

    def __init__(self, app: ASGIApp, options: ServeOptions, keyring: Keyring) -> None:
        self._app = app
        self._options = options
        self._keyring = keyring
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    added.setdefault(name, value)
                added.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, code, message = refusal
            more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
            more.update({"Retry-After": "1"} if status == 503 else {})
            # what is left of the body is not read: the connection cannot serve another request
            more.update({"Connection": "close"} if status == 413 else {})
            await error_response(status, code, message, more)(scope, receive, send_safely)
            return
        self._under_way += 1
        try:
            await _Metered(self._app, self._most_bytes(scope))(scope, receive, send_safely)
        finally:
            self._under_way -= 1

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        """Why a request is not let in: status, code, message."""
        if not self._is_known_host(headers.get("host", "")):
            return 421, "unknown_host", "the server is not known by this name: name it in SAMDB_SERVE_HOSTS"
        if scope["method"] not in _READING and not _is_own_page(headers):
            return 403, "foreign_page", "another site's page must not change anything here"
        if not self._is_free(scope["path"]) and not self._keyring.admits(headers):
            return 401, "key_needed", "show the API key: `Authorization: Bearer KEY`, or log in on the page"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self._most_bytes(scope):
            return 413, "too_large", f"the body is larger than {self._most_bytes(scope):,} bytes"
        if self._under_way >= self._options.max_requests and not scope["path"].startswith("/health/"):
            return 503, "busy", "too many requests are under way: try again in a second"
        return None

    def _is_known_host(self, host: str) -> bool:
        """Whether the Host header is one of ours: else another site's name may lead here (DNS rebinding)."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._options.hosts or name == self._options.host.lower():
            return True
        if is_loopback(self._options.host):
            return is_loopback(name)
        return not self._options.hosts  # there is a key, which such a page would not have

    def _is_free(self, path: str) -> bool:
        return path in _FREE or path.startswith(_FREE_FOLDER)

    def _most_bytes(self, scope: Scope) -> int:
        if scope["path"] == _UPLOADS:
            return self._options.max_upload_bytes + _MULTIPART_BYTES
        return self._options.max_body_bytes


class _Metered:
    """An app whose request bodies are counted: a client need not tell how long one is."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        n_bytes = 0
        too_large = answered = False

        async def receive_counted() -> Message:
            nonlocal n_bytes, too_large
            message = await receive()
            if message["type"] == "http.request":
                n_bytes += len(message.get("body", b""))
                if n_bytes > self._most_bytes:
                    too_large = True
                    raise ValueError("the body is too large")
            return message

        async def send_or_refuse(message: Message) -> None:
            nonlocal answered
            if not too_large:
                await send(message)
            elif not answered:
                # the framework makes its own error of the one raised above
                answered = True
                text = f"the body is larger than {self._most_bytes:,} bytes"
                refusal = error_response(413, "too_large", text, {"Connection": "close"})
                await refusal(scope, receive, send)

        await self._app(scope, receive_counted, send_or_refuse)


def _is_own_page(headers: Headers) -> bool:
    """Whether a request that changes something comes from our own page, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host", "")


def _digest(salt: str, text: str) -> str:
    return hashlib.sha256(f"{salt}\x1f{text}".encode("utf-8", "replace")).hexdigest()
