"""A Ray of the tests' own."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from samdb.workers.ray_cluster import RayPlan, connected
from tests.workers.ray_worlds import RayWorld


@pytest.fixture(scope="session")
def ray() -> Iterator[ModuleType]:
    """A real Ray on this machine, started once."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with connected(RayPlan()) as module:
        yield module


@pytest.fixture
def on_ray(ray: ModuleType, tmp_path: Path) -> RayWorld:
    """Two workers with the rectangle segmenter."""
    pids = tmp_path / "pids"
    pids.mkdir()
    return RayWorld(ray, pids)
