"""Small hand-made datasets for the readers, and the way to the real sample frames."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

WriteImages: TypeAlias = Callable[..., list[Path]]
WriteJson: TypeAlias = Callable[[Path, object], Path]

_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def write_images() -> WriteImages:
    """Writes grey images of (height, width) px with the given names into a folder."""

    def write(folder: Path, names: Sequence[str], size_hw: tuple[int, int] = (20, 40)) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(np.full((*size_hw, 3), 120, dtype=np.uint8)).save(folder / name)
        return [folder / name for name in names]

    return write


@pytest.fixture
def write_json() -> WriteJson:
    """Writes a JSON file and the folders above it."""

    def write(path: Path, content: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def bdd100k_mini() -> Path:
    """The real sample frames, where they are."""
    shared = Path(os.environ.get("SAMDB_TEST_SHARED") or _REPOSITORY.parent / "shared")
    path = shared / "data" / "bdd100k_mini"
    if not path.is_dir():
        pytest.skip(f"the BDD100K sample frames are not at {path}; set SAMDB_TEST_SHARED")
    return path
