"""A copy that is killed in the middle goes on where it was, from and to a folder and real servers."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from samdb.errors import StoreLayoutError
from samdb.ports import VectorStore
from samdb.stores.layout import BANK, IMAGES, META, SEGMENTS
from samdb.stores.migrate import check_layout
from samdb.stores.open import open_store
from tests.cli.command import Samdb
from tests.pipelines.command_line import ROOT
from tests.stores.qdrant_server import QdrantServer
from tests.stores.test_copy import N, check_same, filled

pytestmark = pytest.mark.server


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is."""

    address: str
    prefix: str = ""

    def open(self) -> VectorStore:
        """Open it."""
        return open_store(self.address, prefix=self.prefix)


@pytest.fixture
def bare() -> Samdb:
    """`samdb` without any settings."""
    return Samdb({})


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory, qdrant_server: QdrantServer) -> Iterator[Place]:
    """A store on another server."""
    server = QdrantServer(tmp_path_factory.mktemp("other"))
    server.start()
    yield Place(server.url, "copied_")
    server.stop(kill=True)


@pytest.fixture
def places(
    request: pytest.FixtureRequest, tmp_path: Path, qdrant_server: QdrantServer
) -> Iterator[tuple[Place, Place]]:
    """From where to where."""
    with ExitStack() as stack:
        found = []
        for name in str(request.param).split(" to "):
            if name == "folder":
                found.append(Place(str(tmp_path / "store")))
            elif name == "other server":
                found.append(request.getfixturevalue("other_server"))
            else:
                found.append(Place(qdrant_server.url, "copied_" if name == "server" else "other_"))
            if found[-1].prefix:
                stack.callback(clear, found[-1])
        yield found[0], found[1]


def clear(place: Place) -> None:
    store = place.open()
    for name in store.collections():
        store.drop_collection(name)
    store.close()


@pytest.mark.parametrize(
    "places",
    ["folder to server", "server to folder", "server to other server", "server to other prefix"],
    indirect=True,
)
def test_a_copy_killed_in_the_middle_goes_on_and_doubles_nothing(
    places: tuple[Place, Place], bare: Samdb
) -> None:
    source, target = places
    one = source.open()
    filled(one)
    one.close()
    words = [source.address, source.prefix, target.address, target.prefix]
    command = [sys.executable, "-m", "tests.stores.copy_child", *words]
    assert subprocess.run(command, cwd=ROOT, timeout=120, check=False).returncode == -signal.SIGKILL

    half = target.open()
    assert half.count(SEGMENTS) == 256
    with pytest.raises(StoreLayoutError, match=f"half a copy: finish it with .*{source.address}"):
        check_layout(half)
    half.close()

    prefix = source.prefix or target.prefix
    more = [] if target.prefix in ("", prefix) else ["--to-prefix", target.prefix]
    done = bare("store", "copy", source.address, target.address, *more, SAMDB_STORE_PREFIX=prefix)
    assert (done.code, done.out) == (0, ""), done.err
    # the point at which it stopped was copied, and comes once more
    assert f"segments: {N} points, 256 of them by an earlier run" in done.err
    one, two = source.open(), target.open()
    check_layout(two, "vit_t")
    assert [two.count(name) for name in (SEGMENTS, IMAGES, BANK)] == [N, 1, 1]
    assert two.count(META) == one.count(META)
    check_same(one, two)
    one.close()
    two.close()


def test_a_store_is_not_copied_onto_itself(bare: Samdb, qdrant_server: QdrantServer) -> None:
    both = ("store", "copy", qdrant_server.url, f"{qdrant_server.url}/")
    for more in ((), ("--to-prefix", "same_")):
        done = bare(*both, *more, SAMDB_STORE_PREFIX="same_")
        assert (done.code, done.out) == (2, "")
        assert "the same store" in done.err
