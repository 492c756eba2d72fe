"""Fixtures of the command line: `samdb` itself, and a small store to use it on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Samdb
from tests.shapes import Shapes, copy_store, ingested


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Shapes:
    """The drawn dataset and its store: read them, do not change them."""
    return ingested(tmp_path_factory.getbasetemp(), checkpoint)


@pytest.fixture
def bare() -> Samdb:
    """`samdb` for commands that load no model."""
    return Samdb({})


@pytest.fixture
def samdb(shapes: Shapes, checkpoint: Path) -> Samdb:
    """`samdb` on the drawn dataset's store, which all tests share: only read it."""
    return _samdb(shapes.store, checkpoint)


@pytest.fixture
def writer(shapes: Shapes, checkpoint: Path, tmp_path: Path) -> Samdb:
    """`samdb` on a copy of the drawn dataset's store."""
    store = tmp_path / "store"
    copy_store(shapes.store, store)
    return _samdb(store, checkpoint)


def _samdb(store: Path, checkpoint: Path) -> Samdb:
    return Samdb(
        {
            "SAMDB_STORE": str(store),
            "SAMDB_CHECKPOINT": str(checkpoint),
            "SAMDB_DEVICE": "cpu",
            "SAMDB_PRECISION": "fp32",
            "SAMDB_POINTS_PER_SIDE": "6",
        }
    )
