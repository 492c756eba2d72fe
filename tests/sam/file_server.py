"""A small real web server for the download tests: ranges, broken connections, a request log."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server serves: path -> bytes. `break_after` cuts each answer after so many bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    break_after: int | None = None
    status: int | None = None
    json_pages: bool = False
    #: (path, Range header) of each request, in order
    requests: list[tuple[str, str]] = field(default_factory=list)
    #: Authorization header of each request
    credentials: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    """Serve `site` on a free local port; `site.url` is its address without a slash at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            site.requests.append((self.path, wanted))
            site.credentials.append(self.headers.get("Authorization", ""))
            body = site.files.get(self.path)
            if body is None or site.status is not None:
                self.send_response(site.status or 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            match = re.fullmatch(r"bytes=(\d+)-", wanted)
            if match and site.ranges:
                start = int(match[1])
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", self._type())
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = len(body) if site.break_after is None else min(len(body), start + site.break_after)
            self.wfile.write(body[start:end])
            self.close_connection = end < len(body)

        def _type(self) -> str:
            page = "application/vnd.pypi.simple.v1+json" if site.json_pages else "text/html"
            return page if self.path.endswith("/") else "application/gzip"

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test output clean."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up early is part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
