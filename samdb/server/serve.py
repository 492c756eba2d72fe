"""Running the server: one process, one address, a clean end."""

from __future__ import annotations

import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from samdb.api import Database
from samdb.errors import ConfigError
from samdb.server.app import create_app
from samdb.server.options import ServeOptions

# a browser keeps its connections open: they are closed after so long when the server is to end
_GRACE_S = 3
_BACKLOG = 256
_START_S = 30


def serve(
    db: Database,
    options: ServeOptions,
    port: int,
    on_ready: Callable[[str], None] = lambda _: None,
    open_browser: bool = False,
) -> None:
    """Serve a database until Ctrl-C or SIGTERM, then close it. `on_ready` is told the address.

    Raises ConfigError when the address cannot be had.
    """
    with _bound(options.host, port) as listener:
        server = _Server(create_app(db, options), lambda: _ready(listener, options, on_ready, open_browser))
        with _quiet_end():
            server.run([listener])


@contextmanager
def served(db: Database, options: ServeOptions, port: int = 0) -> Iterator[str]:
    """Serve a database from a thread of this process meanwhile, at the given address; then close it."""
    ready = threading.Event()
    with _bound(options.host, port) as listener:
        server = _Server(create_app(db, options), ready.set)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        if not ready.wait(_START_S):
            raise ConfigError(f"the server did not start within {_START_S} s")
        try:
            yield address_of(options.host, listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def address_of(host: str, port: int) -> str:
    """The address of a server as a browser takes it."""
    name = "localhost" if host in ("", "0.0.0.0", "::") else host
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


class _Server(uvicorn.Server):
    """uvicorn, which tells when it is ready."""

    def __init__(self, app: FastAPI, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
            server_header=False,
            # the address a proxy names may be made up, and the limits go by it
            proxy_headers=False,
        )
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _ready(
    listener: socket.socket, options: ServeOptions, on_ready: Callable[[str], None], open_browser: bool
) -> None:
    address = address_of(options.host, listener.getsockname()[1])
    on_ready(address)
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens there."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, proto)
    except OSError as exc:
        raise ConfigError(f"cannot listen at {host}: {exc.strerror or exc}; give another --host") from exc
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as exc:
            raise ConfigError(
                f"cannot listen at {host}, port {port}: {exc.strerror or exc}; give another --port (0: any)"
            ) from exc
        yield listener


@contextmanager
def _quiet_end() -> Iterator[None]:
    """Let uvicorn end the server on a signal; it would raise the signal once more when all is done."""
    held = {s: signal.signal(s, lambda *_: None) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
