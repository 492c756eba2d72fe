"""`python -m tests.pipelines.sharing_child WORLD URL PREFIX DELAY_S`: one of several processes that ingest
the same images into one server. Says `ready`, waits for a line, and at the end says what it did.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from samdb.pipelines.claims import Claims
from samdb.stores.server import ServerStore
from samdb.stores.server_connection import ServerAddress
from tests.pipelines.ingest_worlds import run_ingest
from tests.workers.ray_worlds import FOUND, SlowSegmenter


def main() -> None:
    """Ingest once told to."""
    world, url, prefix, delay_s = sys.argv[1:]
    store = ServerStore(ServerAddress(url), prefix)
    segmenter = SlowSegmenter(FOUND, delay_s=float(delay_s))
    print("ready", flush=True)
    sys.stdin.readline()
    report = run_ingest(Path(world), store, segmenter, prompts="both", claims=Claims(store, Path(world).name))
    did = {
        "encoded": segmenter.n_encoded,
        "ingested": report.n_ingested,
        "unchanged": report.n_unchanged,
        "seconds": report.seconds,
    }
    print(json.dumps(did), flush=True)
    store.close()


if __name__ == "__main__":
    main()
