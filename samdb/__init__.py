"""samdb: a folder of images, as a searchable database of Segment Anything segments.

import samdb

with samdb.connect("./samdb_data") as db:
    db.ingest("bdd100k/")
    db.build_bank()
    image = db.classify("img.jpg")
    hits = db.search("img.jpg", box_xyxy=(100, 200, 300, 400))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samdb._version import __version__

if TYPE_CHECKING:
    from samdb.api import Database, connect

__all__ = ["Database", "__version__", "connect"]


def __getattr__(name: str) -> object:
    # the API brings the stores and SAM along; `import samdb` alone stays light
    if name in ("Database", "connect"):
        from samdb import api

        return getattr(api, name)
    raise AttributeError(f"module 'samdb' has no attribute {name!r}")
