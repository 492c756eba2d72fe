"""`python -m tests.pipelines.full_disk_child WORLD STORE LEFT_BYTES CHECKED`: ingest; once eight images are
stored a large file takes the store's disk but for LEFT_BYTES. CHECKED 0: samdb does not look how much is
left, as where the disk fills between that look and the write. Ends as the command line does.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from samdb.errors import SamdbError
from samdb.pipelines.ingest import IngestProgress
from samdb.stores import edge_folder
from samdb.stores.edge import EdgeStore
from samdb.stores.layout import IMAGES
from tests.pipelines.ingest_child import FOUND
from tests.pipelines.ingest_worlds import RectangleSegmenter, run_ingest

#: images that are written together
GROUP = 8
LARGE_FILE = "film.mp4"
_PATIENCE_S = 60.0


def main() -> int:
    """Ingest."""
    world, folder, left_bytes, checked = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if checked == "0":
        edge_folder.MIN_FREE_BYTES = 0
    store = EdgeStore(folder)

    def fill(at: IngestProgress) -> None:
        if at.n_seen != GROUP + 1:
            return
        until = time.monotonic() + _PATIENCE_S
        while store.count(IMAGES) < GROUP and time.monotonic() < until:  # another thread writes them
            time.sleep(0.01)
        with (folder.parent / LARGE_FILE).open("wb") as file:
            size = shutil.disk_usage(folder).free - left_bytes
            while file.tell() < size:
                file.write(bytes(min(1 << 20, size - file.tell())))

    try:
        run_ingest(world, store, RectangleSegmenter(FOUND), prompts="both", on_progress=fill)
    except SamdbError as exc:
        print(f"error: {exc}", flush=True)
        return exc.exit_code
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
