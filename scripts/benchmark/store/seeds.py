"""Where the real segments come from: a store, or one made of the demo's photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import samdb
from samdb.errors import ConfigError
from samdb.sam.weights import user_weights_dir
from samdb.stores.layout import SEGMENTS
from scripts.benchmark.material import choose_material
from scripts.benchmark.store.points import Payload, Seeds

#: with fewer real segments nothing can be made; FEW say little of how embeddings lie
LEAST, FEW = 10, 1000


def seeds_of(store: Path | None, recipe: str) -> tuple[Seeds, str]:
    """The segments of a store that have an embedding of that recipe, and its model.

    Raises ConfigError when they are too few or have no class.
    """
    path = store or _sample_store()
    if not path.is_dir():
        raise ConfigError(f"--store {path} is no folder: give an embedded store, or leave it out")
    with samdb.connect(str(path)) as db:
        db.check()
        points = [p for p in db.store.scroll(SEGMENTS, (), (recipe,)) if recipe in p.vectors]
        model = db.settings.model
    if len(points) < LEAST or not any(p.payload.get("class_name") for p in points):
        raise ConfigError(
            f"{path} holds {len(points)} segments with {recipe!r} embeddings, or none of them has a class: "
            f"run `samdb ingest PATH --recipes {recipe}` on a labelled dataset first"
        )
    points.sort(key=lambda p: (str(p.payload["dataset"]), str(p.payload["image_id"])))
    payloads: list[Payload] = [dict(p.payload) for p in points]  # type: ignore[arg-type]
    return Seeds(np.stack([p.vectors[recipe] for p in points]), payloads), model


def _sample_store() -> Path:
    """A store of the demo's photographs, made once."""
    path = user_weights_dir().parent / "benchmark" / "segments"
    material = choose_material(None, 20)
    with samdb.connect(str(path)) as db:
        db.ingest(material.data, split=material.split or None, prompts="labels", recipes=("blend", "neck"))
    return path
