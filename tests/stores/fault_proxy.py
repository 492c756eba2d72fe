"""A loopback proxy before a real server that delays, drops, loses answers, refuses, or says 503.

It passes bytes on, so that REST and gRPC both go through it (two proxies for both ports). What it takes for
one request is what the client sends at once; REST's requests are read whole, so that `busy`, `refuse` and
`match` need REST.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

#: busy: answered 503, not passed on; drop: connection cut, not passed on; lost: passed on, answer cut off;
#: hang: neither passed on nor answered; refuse: answered 400 in Qdrant's words, not passed on
FaultKind = Literal["busy", "drop", "lost", "hang", "refuse"]

_HEAD = re.compile(rb"^(GET|PUT|POST|PATCH|DELETE|HEAD) \S+ HTTP/1\.1\r\n")
_REFUSAL = b'{"status":{"error":"Wrong input: a bad point"},"time":0.0}'
_REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_REFUSAL),
    _REFUSAL,
)
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class _Fault:
    kind: FaultKind
    times: int
    every: int
    match: bytes
    n_seen: int = 0


class FaultProxy:
    """Listens on `port` and passes everything on to `target_port`; faults come and go while it runs.

    `n_requests` counts what came, `n_faults` what was spoiled. Every request is held up by `delay_s`.
    """

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self._lock = threading.Lock()
        self._fault: _Fault | None = None
        self._sockets: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._stopped = threading.Event()
        self.port = 0
        self.delay_s = 0.0
        self.n_requests = 0
        self.n_faults = 0
        self.up()

    @property
    def url(self) -> str:
        """The proxy's address, for REST."""
        return f"http://127.0.0.1:{self.port}"

    def fail(self, kind: FaultKind, *, times: int = 1 << 30, every: int = 1, match: bytes = b"") -> None:
        """Spoil every `every`-th of the next requests that hold `match`, `times` of them."""
        with self._lock:
            self._fault = _Fault(kind, times, every, match)

    def heal(self) -> None:
        """Pass everything on again, at once."""
        with self._lock:
            self._fault = None
        self.delay_s = 0.0

    def down(self) -> None:
        """Refuse connections, and cut those there are."""
        if self._listener is not None:
            # wakes the thread that waits in accept
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for sock in list(self._sockets):
            _cut(sock)

    def up(self) -> None:
        """Take connections (again), on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        """Let go of everything."""
        self._stopped.set()
        self.down()

    def __enter__(self) -> FaultProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One connection: what the client sends here, what the server answers in a thread of its own."""
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        self._sockets |= {client, server}
        losing = threading.Event()
        back = threading.Thread(target=_answer, args=(server, client, losing), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            self._pass_on(client, server, losing)
        if not losing.is_set():  # else the answer has to come first
            _cut(server)
            _cut(client)
        back.join()
        for sock in (client, server):
            self._sockets.discard(sock)
            sock.close()

    def _pass_on(self, client: socket.socket, server: socket.socket, losing: threading.Event) -> None:
        while request := _read_request(client):
            kind = self._judge(request)
            if self.delay_s and self._stopped.wait(self.delay_s):
                return
            if kind == "busy":
                client.sendall(_BUSY)
                return
            if kind == "refuse":
                client.sendall(_REFUSED)
                continue
            if kind == "drop":
                return
            if kind == "hang":
                while self._fault is not None and not self._stopped.wait(0.05):
                    pass
                return
            if kind == "lost":
                losing.set()
            server.sendall(request)
            if kind == "lost":
                return

    def _judge(self, request: bytes) -> FaultKind | None:
        with self._lock:
            self.n_requests += 1
            fault = self._fault
            if fault is None or fault.times <= 0 or fault.match not in request:
                return None
            fault.n_seen += 1
            if fault.n_seen % fault.every:
                return None
            fault.times -= 1
            self.n_faults += 1
            return fault.kind


def _answer(server: socket.socket, client: socket.socket, losing: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(1 << 16):
            if losing.is_set():
                break
            client.sendall(data)
    _cut(client)
    _cut(server)


def _read_request(client: socket.socket) -> bytes:
    """A whole request of REST, or whatever else came; b"" at the end."""
    data = client.recv(1 << 16)
    if not _HEAD.match(data):
        return data
    while b"\r\n\r\n" not in data:
        data += client.recv(1 << 16)
    head, body = data.split(b"\r\n\r\n", 1)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    missing = (int(length[1]) if length else 0) - len(body)
    parts = [data]
    while missing > 0 and (more := client.recv(1 << 20)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
