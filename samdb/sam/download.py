"""One file from one URL: resumed where it stopped, checked before it gets its name."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

import certifi
import httpx

from samdb.errors import FetchError

#: an unreachable host must fall through to the next source quickly; data may be slow
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_CHUNK = 1 << 20
_ATTEMPTS = 5


class Progress(Protocol):
    """Is told how far a download is."""

    def __call__(self, what: str, done_bytes: int, total_bytes: int | None) -> None:
        """`what` is the file's name; `total_bytes` is None while the server has not said it."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file to fetch: its address (http, https or file), how messages call the source, and its check sum."""

    url: str
    shown_as: str
    sha256: str
    size_bytes: int | None = None


class _BrokenOffError(Exception):
    """The connection ended early; what came so far is in the .part file."""


def tls_context(cafile: str | None = None) -> ssl.SSLContext:
    """Certificates to trust: `cafile` alone when given, else the system's and certifi's together."""
    context = ssl.create_default_context(cafile=cafile)
    if cafile is None:
        context.load_verify_locations(certifi.where())
    return context


def plain_client() -> httpx.Client:
    """A client for public hosts; proxies come from the usual environment variables."""
    return httpx.Client(verify=tls_context(), timeout=TIMEOUT, follow_redirects=True)


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def why_failed(exc: Exception) -> str:
    """A network or disk error in words that name no host and no address."""
    if isinstance(exc, httpx.ConnectTimeout):
        return f"no answer within {TIMEOUT.connect:g} s"
    if isinstance(exc, httpx.TimeoutException):
        return "it stopped answering"
    if isinstance(exc, httpx.ProxyError):
        return "the proxy refused the connection"
    if isinstance(exc, httpx.ConnectError):
        # httpx keeps the reason only as text
        return "its certificate is not trusted" if "CERTIFICATE" in str(exc) else "it cannot be reached"
    if isinstance(exc, OSError):
        return os.strerror(exc.errno) if exc.errno else type(exc).__name__
    return "the connection broke off"


def download(remote: Remote, dest: Path, client: httpx.Client, progress: Progress | None = None) -> Path:
    """Fetch a file to `dest`, which appears only whole and checked; returns `dest`.

    What came before an interruption waits in `<dest>.part` and is continued by a Range request. The caller
    sees to it that one process at a time fetches to `dest`. Raises FetchError.
    """
    part = dest.with_name(dest.name + ".part")
    resumed = part.exists()
    for _ in range(2):
        try:
            _fetch_all(remote, part, client, progress)
            if sha256_of(part) == remote.sha256:
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
                os.replace(part, dest)
                return dest
            part.unlink()
        except OSError as exc:
            raise FetchError(_disk_trouble(exc, dest)) from exc
        if not resumed:
            break
        resumed = False  # the first half may have come from elsewhere: once more from the start
    raise FetchError(f"{remote.shown_as} sent a file whose sha256 is not the published one; it was deleted")


def _fetch_all(remote: Remote, part: Path, client: httpx.Client, progress: Progress | None) -> None:
    """Bring `part` to its full length, continuing after broken connections as long as bytes arrive."""
    failures, start = 0, _length(part)
    best = start
    while True:
        try:
            if urlsplit(remote.url).scheme == "file":
                _copy_local(remote, part, progress)
            else:
                _stream(remote, part, client, progress)
            return
        except (
            _BrokenOffError,
            httpx.NetworkError,
            httpx.TimeoutException,
            httpx.RemoteProtocolError,
        ) as exc:
            failures = 0 if _length(part) > best else failures + 1
            best = max(best, _length(part))
            # a host that cannot even be connected to is not worth waiting for
            unreachable = isinstance(exc, (httpx.ConnectError, httpx.ConnectTimeout)) and best == start
            if unreachable or failures >= _ATTEMPTS:
                raise FetchError(f"{remote.shown_as}: {why_failed(exc)}") from exc
            time.sleep(min(0.2 * 2**failures, 5.0))
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise FetchError(f"{remote.shown_as}: {why_failed(exc)}") from exc


def _stream(remote: Remote, part: Path, client: httpx.Client, progress: Progress | None) -> None:
    """One request: append what is missing to `part`."""
    offset, size = _length(part), remote.size_bytes
    if size is not None and offset >= size:
        if offset == size:
            return
        part.unlink()
        offset = 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with client.stream("GET", remote.url, headers=headers) as response:
        if response.status_code == 416 and offset:  # the .part belongs to something else
            part.unlink()
            raise _BrokenOffError
        if response.status_code not in (200, 206):
            raise FetchError(f"{remote.shown_as} answered with HTTP status {response.status_code}")
        if not (response.status_code == 206 and _starts_at(response, offset)):
            offset = 0
        length = response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdigit() else size
        if size is not None and total != size:
            raise FetchError(f"{remote.shown_as} offers {total} bytes where {size} are expected")
        _check_space(part, (total or 0) - offset)
        done = _append(response.iter_bytes(), part, offset, total, progress)
    if total is not None and done != total:
        if done > total:
            raise FetchError(f"{remote.shown_as} sent more than the {total} bytes expected")
        raise _BrokenOffError


def _append(
    chunks: Iterable[bytes], part: Path, offset: int, total: int | None, progress: Progress | None
) -> int:
    """Write the chunks at `offset`, stopping once past `total`; the length reached."""
    name, done = part.name.removesuffix(".part"), offset
    with part.open("r+b" if offset else "wb") as file:
        if offset:
            file.seek(offset)
            file.truncate()
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(name, done, total)
            if total is not None and done > total:
                break
    return done


def _copy_local(remote: Remote, part: Path, progress: Progress | None) -> None:
    """A file: URL, as in a package index on a disk."""
    source = Path(url2pathname(urlsplit(remote.url).path))
    try:
        file = source.open("rb")
    except OSError as exc:
        raise FetchError(f"{remote.shown_as}: {why_failed(exc)}") from exc
    with file:
        total = source.stat().st_size
        _check_space(part, total)
        _append(iter(lambda: file.read(_CHUNK), b""), part, 0, total, progress)


def _check_space(part: Path, need_bytes: int) -> None:
    """Stop before the first byte when the disk cannot hold the rest."""
    if need_bytes > shutil.disk_usage(part.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _starts_at(response: httpx.Response, offset: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _disk_trouble(exc: OSError, dest: Path) -> str:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {dest.parent} is full: free some space or choose another folder "
            f"(what came so far is kept in {dest.name}.part)"
        )
    return f"cannot write {dest}: {why_failed(exc)}"
