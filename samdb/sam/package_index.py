"""Source archives from the package index that pip is configured for; nothing of them is ever run.

`pip download` would build a source archive to learn its metadata, so samdb asks pip only for its settings
and fetches the file by itself. Source: PEP 503 (simple pages) and PEP 691 (their JSON form).
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

import httpx

from samdb.errors import FetchError
from samdb.sam.download import TIMEOUT, Progress, Remote, download, tls_context, why_failed
from samdb.sam.pip_settings import IndexSettings, pip_settings

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_SHOWN_AS = "the package index"


@dataclass(frozen=True, slots=True)
class Sdist:
    """A source archive on the package index, pinned by its sha256."""

    project: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its file name, as PEP 625 spells most of them (a page may use `_` or `.` for `-`)."""
        return f"{self.project}-{self.version}.tar.gz"


def fetch_sdist(
    sdist: Sdist, dest: Path, settings: IndexSettings | None = None, progress: Progress | None = None
) -> Path:
    """Fetch the archive to `dest`, checked against its sha256 and not unpacked.

    Every place pip would look is tried, those on this machine's disks first. Raises FetchError that says
    what each answered, without naming the index's address.
    """
    settings = pip_settings() if settings is None else settings
    reasons: list[str] = []
    pages = [_with_slash(url) + sdist.project + "/" for url in settings.indexes] + list(settings.find_links)
    for page in sorted(pages, key=lambda url: not _is_local(url)):
        try:
            with _client(page, settings) as client:
                for url in _candidates(page, sdist, client):
                    return download(Remote(url, _SHOWN_AS, sdist.sha256), dest, client, progress)
            reasons.append(f"{_SHOWN_AS} does not carry {sdist.file_name}")
        except FetchError as exc:
            reasons.append(str(exc))
        except (ssl.SSLError, OSError, ValueError) as exc:
            reasons.append(f"{_SHOWN_AS}: pip's settings for it cannot be used ({type(exc).__name__})")
    if not reasons:
        reasons.append("pip is configured to use no package index")
    # the last place is the remote one, whose answer says the most
    raise FetchError("; ".join(dict.fromkeys(reversed(reasons))))


def _candidates(page: str, sdist: Sdist, client: httpx.Client) -> Iterator[str]:
    """Addresses of the archive on a page, or in a folder."""
    wanted = _plain(sdist.file_name)
    folder = _local_path(page)
    if folder is not None and folder.is_dir():
        yield from (f.absolute().as_uri() for f in sorted(folder.iterdir()) if _plain(f.name) == wanted)
        folder = folder / "index.html"
    if folder is not None:
        base = folder.absolute().as_uri()
        links = _html_links(folder.read_text("utf-8", "replace"), base) if folder.is_file() else []
    else:
        links = _page_links(page, client)
    for link in links:
        if _plain(unquote(urlsplit(link).path.rsplit("/", 1)[-1])) == wanted:
            yield _with_credentials(urlunsplit(urlsplit(link)._replace(fragment="")), page)


def _page_links(page: str, client: httpx.Client) -> list[str]:
    try:
        response = client.get(page, headers={"Accept": _ACCEPT})
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise FetchError(f"{_SHOWN_AS}: {why_failed(exc)}") from exc
    if response.status_code == 404:
        return []
    if response.status_code != 200:
        raise FetchError(f"{_SHOWN_AS} answered with HTTP status {response.status_code}")
    if "json" not in response.headers.get("Content-Type", ""):
        return _html_links(response.text, str(response.url))
    try:
        return [urljoin(str(response.url), file["url"]) for file in json.loads(response.text)["files"]]
    except (ValueError, KeyError, TypeError) as exc:
        raise FetchError(f"{_SHOWN_AS} sent a page that cannot be read") from exc


class _Anchors(HTMLParser):
    """Collects the links of a simple page."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href and tag == "base":
            self.base = urljoin(self.base, href)
        elif href and tag == "a":
            self.links.append(urljoin(self.base, href))


def _html_links(text: str, base: str) -> list[str]:
    anchors = _Anchors(base)
    anchors.feed(text)
    return anchors.links


def _client(page: str, settings: IndexSettings) -> httpx.Client:
    parts = urlsplit(page)
    trusted = {parts.netloc.rpartition("@")[2], parts.hostname} & set(settings.trusted_hosts)
    context = tls_context(settings.cert)
    if trusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_cert:
        context.load_cert_chain(settings.client_cert)
    proxy = settings.proxy
    if proxy and "://" not in proxy:  # pip takes host:port
        proxy = "http://" + proxy
    return httpx.Client(verify=context, proxy=proxy, timeout=TIMEOUT, follow_redirects=True)


def _with_credentials(link: str, page: str) -> str:
    """Give a link of the page's own host the page's user and password, as pip does."""
    to, at = urlsplit(link), urlsplit(page)
    user, _, host = at.netloc.rpartition("@")
    return urlunsplit(to._replace(netloc=at.netloc)) if user and to.netloc == host else link


def _is_local(url: str) -> bool:
    return _local_path(url) is not None


def _local_path(url: str) -> Path | None:
    """The path of a file: URL or plain path; None for an address on the network."""
    if url.startswith("file:"):
        return Path(url2pathname(urlsplit(url).path))
    return None if "://" in url else Path(url).expanduser()


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _plain(file_name: str) -> str:
    """File names compared as PEP 503 compares project names."""
    return re.sub(r"[-_.]+", "-", file_name).lower()
