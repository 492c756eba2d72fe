"""`python -m tests.pipelines.ingest_child WORLD STORE PROMPTS`: ingest in a process that a test can kill.

The rectangle segmenter takes no time, so that nearly all of the run is writing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from samdb.core.boxes import Box
from samdb.pipelines.cutting import PROMPT_MODES
from samdb.stores.edge import EdgeStore
from tests.pipelines.ingest_worlds import RectangleSegmenter, run_ingest

#: what the segmenter finds in every image besides what was labelled
FOUND: tuple[Box, ...] = ((32, 4, 46, 28), (2, 2, 20, 14))


def main() -> None:
    """Ingest, saying so once the first image is done."""
    world, store, prompts = Path(sys.argv[1]), EdgeStore(sys.argv[2]), sys.argv[3]
    (mode,) = (m for m in PROMPT_MODES if m == prompts)
    print("ready", flush=True)
    run_ingest(world, store, RectangleSegmenter(FOUND), prompts=mode)
    store.close()


if __name__ == "__main__":
    main()
