"""`python -m tests.workers.ray_child WORLD STORE PIDS DELAY_S`: ingest on a Ray of its own, for tests that
stop or kill the process. Says `ready` when the first image is done, and at the end how it went.
"""

from __future__ import annotations

import sys
from pathlib import Path

from samdb.pipelines.ingest import IngestProgress
from samdb.stores.edge import EdgeStore
from samdb.workers.local import terminate_as_interrupt
from samdb.workers.ray_cluster import RayPlan, connected
from tests.workers.ray_worlds import RayWorld


def main() -> None:
    """Ingest."""
    world, folder, pids, delay_s = sys.argv[1:]
    store = EdgeStore(folder)

    def tell(at: IngestProgress) -> None:
        if at.n_seen == 1:
            print("ready", flush=True)

    try:
        with connected(RayPlan()) as ray, terminate_as_interrupt():
            on_ray = RayWorld(ray, Path(pids), delay_s=float(delay_s))
            report = on_ray.ingest(Path(world), store, on_progress=tell)
            print(f"unchanged {report.n_unchanged}", flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    finally:
        store.close()


if __name__ == "__main__":
    main()
