"""Fixtures of the pipelines: MobileSAM with its real weights, for images that are small."""

from __future__ import annotations

from pathlib import Path

import pytest

from samdb.sam.automatic import AutomaticSettings
from samdb.sam.device import Compute, keep_freed_memory
from samdb.sam.networks import load_networks
from samdb.sam.segmenter import SamSegmenter
from tests.sam.material import MODEL


@pytest.fixture(scope="session")
def sam(checkpoint: Path) -> SamSegmenter:
    """MobileSAM on the CPU with a coarse grid: 36 points instead of 1024."""
    keep_freed_memory()  # as `samdb.wiring` does: same results, half the time
    networks = load_networks(MODEL, checkpoint)
    coarse = AutomaticSettings(points_per_side=6)
    return SamSegmenter(networks, Compute("cpu", "fp32"), weights_sha256="published", automatic=coarse)
