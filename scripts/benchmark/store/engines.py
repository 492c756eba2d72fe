"""Which engines there are, and where each one's code is; it is imported by the process that needs it."""

from __future__ import annotations

from typing import Any

from scripts.benchmark.store.engine import Engine
from scripts.benchmark.store.plan import StorePlan

#: samdb's own stores; the rest are peers
OURS = ("edge", "server")
PEERS = ("faiss-flat", "faiss-hnsw", "hnswlib", "chroma", "lancedb")
ENGINES = (*OURS, *PEERS)


def engine_of(plan: StorePlan) -> Engine[Any]:
    """The engine that a plan names."""
    if plan.engine == "edge":
        from scripts.benchmark.store.edge import Edge

        return Edge(plan.recipe, plan.model, tuning=plan.tuning)
    if plan.engine == "server":
        from scripts.benchmark.store.server import Server

        return Server(plan.recipe, plan.model, plan.server, plan.tuning)
    if plan.engine == "hnswlib":
        from scripts.benchmark.store.hnswlib_index import HnswlibIndex

        return HnswlibIndex()
    if plan.engine == "chroma":
        from scripts.benchmark.store.chroma import Chroma

        return Chroma()
    if plan.engine == "lancedb":
        from scripts.benchmark.store.lance import Lance

        return Lance()
    from scripts.benchmark.store.faiss_index import FaissIndex

    return FaissIndex(hnsw=plan.engine == "faiss-hnsw")
