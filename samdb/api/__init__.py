"""The Python API: what the command line does, in a few lines of Python.

import samdb

with samdb.connect("./samdb_data") as db:
    db.ingest("bdd100k/")
    db.build_bank()
    image = db.classify("img.jpg")
    hits = db.search("img.jpg", box_xyxy=(100, 200, 300, 400))
"""

from __future__ import annotations

from samdb.api.database import DEFAULT_RECIPE, DEFAULT_RECIPES, Database
from samdb.api.inputs import best_prompts, check_split, one_image
from samdb.config import load_settings

__all__ = [
    "DEFAULT_RECIPE",
    "DEFAULT_RECIPES",
    "Database",
    "best_prompts",
    "check_split",
    "connect",
    "one_image",
]


def connect(store: str | None = None, *, model: str | None = None, device: str | None = None) -> Database:
    """Open a store: a folder (created by the first ingest), `http://host:6333`, or `memory:`.

    What is not given comes from the environment (`SAMDB_STORE`, `SAMDB_MODEL`, ...). Raises StoreError when
    the store cannot be opened, ConfigError on a setting that cannot be used.
    """
    return Database(load_settings({"store": store, "model": model, "device": device}))
