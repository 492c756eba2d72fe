"""The line to a Qdrant server: gRPC where it answers, else REST; retries; errors translated."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from qdrant_client import QdrantClient
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)
from tenacity.stop import StopBaseT

from samdb.errors import ConfigError, StoreError, StoreRejectedError, StoreUnavailableError
from samdb.stores.server_errors import FOREIGN, is_transient, translate

_T = TypeVar("_T")
_B = TypeVar("_B")
_LOG = logging.getLogger(__name__)
_FIRST_ATTEMPTS = 4
# by itself gRPC waits up to two minutes before it looks again for a server that went away
_GRPC_RECONNECT = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1000}
_PROBE_S = 1.0
# facets and groups as used here
_OLDEST = (1, 12)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How to reach a server. `url` is http(s)://host[:port][/path]; REST's port is 6333 unless given.

    `others` are more nodes of the cluster, one of which is asked when the first does not answer.
    `timeout_s` bounds one request, `retry_s` (the same unless given) how long it is repeated while the server
    is away or busy. `grpc_port` is REST's port + 1 unless given, as Qdrant does by itself. `tls_ca` is a PEM
    file of the authority that signed the server's certificate; `tls_verify` False trusts any certificate.
    """

    url: str
    api_key: str | None = None
    timeout_s: float = 30.0
    retry_s: float | None = None
    prefer_grpc: bool = True
    grpc_port: int | None = None
    tls_ca: Path | None = None
    tls_verify: bool = True
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for url in self.others:
            replace(self, url=url, others=())
        parts = urlsplit(self.url)
        try:
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError(f"{self.url!r} is no server address: write http://host:6333")
        if parts.username or parts.password:
            raise ConfigError("a server address must hold no password: use the API key setting")
        if self.tls_ca is not None and not self.tls_ca.is_file():
            raise ConfigError(f"the TLS CA file {self.tls_ca} does not exist")

    def __repr__(self) -> str:
        """Show the address, never the key."""
        return f"ServerAddress({self.shown!r})"

    @property
    def shown(self) -> str:
        """The address for messages."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))

    @property
    def port(self) -> int:
        """REST's port."""
        return urlsplit(self.url).port or 6333

    def nodes(self) -> list[ServerAddress]:
        """Each node by itself."""
        return [replace(self, url=url, others=()) for url in (self.url, *self.others)]


class ServerConnection:
    """A client that answers in samdb's errors and tries again what may succeed in a moment."""

    def __init__(self, address: ServerAddress) -> None:
        """Connect to the first node that answers. Raises StoreUnavailableError when none does."""
        self._nodes = address.nodes()
        self._retry_s = address.timeout_s if address.retry_s is None else address.retry_s
        self._lock = threading.Lock()
        self._lines: dict[int, _Line] = {}
        self._at = 0
        errors: list[StoreError] = []
        for at, node in enumerate(self._nodes):
            try:
                self._lines[at] = _Line(node)
            except StoreUnavailableError as exc:
                errors.append(exc)
            else:
                self._at = at
                return
        raise errors[0]

    @property
    def address(self) -> ServerAddress:
        """The node that is asked now."""
        return self._nodes[self._at]

    @property
    def nodes(self) -> list[ServerAddress]:
        """All nodes that were named."""
        return self._nodes

    @property
    def uses_grpc(self) -> bool:
        """Whether the node that is asked now is asked over gRPC."""
        return self._lines[self._at].uses_grpc

    @property
    def shown(self) -> str:
        """The address for messages."""
        return self.address.shown

    @property
    def timeout_s(self) -> float:
        """Time-out of one request."""
        return self.address.timeout_s

    def call(self, ask: Callable[[QdrantClient], _T]) -> _T:
        """What `ask` answers, or a StoreError of the kind that `server_errors.translate` chooses."""
        try:
            return self.call_raw(ask)
        except FOREIGN as exc:
            raise translate(self.shown, exc) from exc

    def call_each(self, items: Iterable[_B], ask: Callable[[QdrantClient, _B], _T]) -> list[_T]:
        """What `ask` answers for each item, one call after the other; as `call`."""
        return [self._call_one(item, ask) for item in items]

    def call_raw(self, ask: Callable[[QdrantClient], _T]) -> _T:
        """As `call`, but the client's own errors come through."""
        asked = self._at

        def once() -> _T:
            nonlocal asked
            asked = self._at
            return ask(self._lines[asked].client)

        return _retrying(stop_after_delay(self._retry_s), lambda _: self._turn(asked))(once)

    def _call_one(self, item: _B, ask: Callable[[QdrantClient, _B], _T]) -> _T:
        return self.call(lambda c: ask(c, item))

    def close(self) -> None:
        """Let go of the connections."""
        for line in self._lines.values():
            line.client.close()

    def _turn(self, failed: int) -> None:
        """Ask another node from now on, if one answers, and no other thread has turned already."""
        with self._lock:
            for step in range(1, len(self._nodes)) if self._at == failed else ():
                other = (failed + step) % len(self._nodes)
                try:
                    if other not in self._lines:
                        self._lines[other] = _Line(self._nodes[other], attempts=1)
                    self._lines[other].client.info()
                except (StoreError, *FOREIGN) as exc:
                    _LOG.debug("no answer from %s: %s", self._nodes[other].shown, type(exc).__name__)
                else:
                    self._at = other
                    return


class _Line:
    """The client of one node, with gRPC if that answers."""

    def __init__(self, address: ServerAddress, attempts: int = _FIRST_ATTEMPTS) -> None:
        # a server that is not there is reported at once; one that goes away for a restart is waited for
        self._stop = stop_after_attempt(attempts)
        self._address = address
        self.client = _client(address, grpc=False)
        self.uses_grpc = False
        try:
            self._connect()
        except BaseException:
            self.client.close()
            raise

    def _ask(self, ask: Callable[[QdrantClient], _T]) -> _T:
        try:
            return _retrying(self._stop, lambda _: None)(ask, self.client)
        except FOREIGN as exc:
            raise translate(self._address.shown, exc) from exc

    def _connect(self) -> None:
        shown = self._address.shown
        try:
            version = self._ask(lambda c: c.info()).version
        except (StoreUnavailableError, StoreRejectedError):
            raise
        except StoreError as exc:
            raise StoreUnavailableError(
                f"what answers at {shown} is no Qdrant server: check --store / SAMDB_STORE"
            ) from exc
        self._ask(lambda c: c.get_aliases())  # the first call that needs the key
        numbers = tuple(int(n) for n in version.split("-")[0].split(".")[:2] if n.isdigit())
        if numbers < _OLDEST:
            raise StoreUnavailableError(
                f"the Qdrant server at {shown} is version {version}: samdb needs 1.12 or newer, "
                "upgrade it with `docker compose pull && docker compose up -d`"
            )
        if self._address.prefer_grpc:
            self._switch_to_grpc(version)

    def _switch_to_grpc(self, version: str) -> None:
        """Use gRPC if the same server answers there; a proxy or another server may sit on that port."""
        address = self._address
        # gRPC has no way to trust any certificate
        if not address.tls_verify or not _port_open(address):
            return
        client = _client(address, grpc=True)
        try:
            same = client.info().version == version
            client.get_aliases()
        except FOREIGN as exc:
            _LOG.debug("no gRPC at %s: %s", address.shown, type(exc).__name__)
            same = False
        if same:
            self.client.close()
            self.client, self.uses_grpc = client, True
        else:
            client.close()


def _retrying(stop: StopBaseT, between: Callable[[RetryCallState], None]) -> Retrying:
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop,
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        before_sleep=between,
        reraise=True,
    )


def _client(address: ServerAddress, *, grpc: bool) -> QdrantClient:
    options: dict[str, int | bytes] = dict(_GRPC_RECONNECT)
    if address.tls_ca:
        options["root_certificates"] = address.tls_ca.read_bytes()
    with warnings.catch_warnings():
        # a key over plain HTTP: usual on one machine and inside a compose network, and the user's choice
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return QdrantClient(
            url=address.shown,
            port=address.port,
            grpc_port=_grpc_port(address),
            prefer_grpc=grpc,
            api_key=address.api_key or None,  # an empty setting is none
            timeout=max(1, round(address.timeout_s)),
            grpc_options=options,
            check_compatibility=False,  # done in `_connect`, as an error instead of a warning
            verify=trust(address),
        )


def trust(address: ServerAddress) -> ssl.SSLContext | bool:
    """Which certificates to believe. Raises ConfigError when the authority's file holds none."""
    if address.tls_ca is None:
        return address.tls_verify
    try:
        return ssl.create_default_context(cafile=address.tls_ca)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError(
            f"the TLS CA file {address.tls_ca} holds no certificate in PEM form: {exc}"
        ) from exc


def _grpc_port(address: ServerAddress) -> int:
    return address.grpc_port or address.port + 1


def _port_open(address: ServerAddress) -> bool:
    host = urlsplit(address.url).hostname or ""
    with contextlib.suppress(OSError), socket.create_connection((host, _grpc_port(address)), _PROBE_S):
        return True
    return False
