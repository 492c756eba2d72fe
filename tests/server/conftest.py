"""Fixtures of the server's room: the drawn dataset behind a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from samdb.sam.segmenter import SamSegmenter
from tests.server.client import client_of
from tests.shapes import Shapes, copy_store, ingested, load_sam


@pytest.fixture(scope="session")
def sam(checkpoint: Path) -> SamSegmenter:
    """MobileSAM with a coarse grid."""
    return load_sam(checkpoint)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Shapes:
    """The drawn dataset and its store: read them, do not change them."""
    return ingested(tmp_path_factory.getbasetemp(), checkpoint)


@pytest.fixture(scope="module")
def client(
    shapes: Shapes, sam: SamSegmenter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a server on a copy of the drawn dataset's store."""
    store = tmp_path_factory.mktemp("served") / "store"
    copy_store(shapes.store, store)
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("SAMDB_")]:
            patch.delenv(name)
        with client_of(str(store), sam) as made:
            yield made
