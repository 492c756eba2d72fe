"""Fixtures of the SAM room: MobileSAM with its real weights, and what the official code gave."""

from __future__ import annotations

from pathlib import Path

import pytest

from samdb.sam.device import Compute, choose_compute
from samdb.sam.networks import Networks
from tests.sam.material import (
    GOLDEN_FRAMES,
    GoldenFrame,
    LoadedModel,
    load_golden,
    load_model,
    shared_folder,
)


@pytest.fixture(scope="session")
def fp32(checkpoint: Path) -> LoadedModel:
    """MobileSAM on the CPU in float32."""
    return load_model(checkpoint, Compute("cpu", "fp32"))


@pytest.fixture(scope="session")
def bf16(checkpoint: Path) -> LoadedModel:
    """MobileSAM on the CPU in bfloat16; skips where the CPU only imitates it."""
    if choose_compute("cpu").precision != "bf16":
        pytest.skip("this CPU does not multiply bfloat16 natively")
    return load_model(checkpoint, Compute("cpu", "bf16"))


@pytest.fixture(scope="session")
def networks(fp32: LoadedModel) -> Networks:
    """The real networks in float32, shared with the `fp32` model: read them, do not change them."""
    return fp32.networks


@pytest.fixture(scope="session", params=GOLDEN_FRAMES)
def golden(request: pytest.FixtureRequest) -> GoldenFrame:
    """Each golden frame in turn; skips where the sample frames are not on this machine."""
    shared = shared_folder()
    if shared is None:
        pytest.skip("no golden frames here: set SAMDB_TEST_SHARED to the folder that holds golden/ and data/")
    return load_golden(request.param, shared)
