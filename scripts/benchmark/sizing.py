"""What a store of so many segments needs: a small model that starts from one measured store. No measurement.

Per point: int8 vectors and the HNSW graph's links are kept in memory, float32 vectors and payload on disk.

    resident  = dim + links + index  bytes; links = 2 m * 4 (HNSW's lowest level), index: as measured
    disk      = measured bytes for each point
    load h    = n * load CPU s a point / writers: one thread writes, for the engine holds Python's lock
                meanwhile; a cluster is written to by one process a node
    index h   = n * index CPU s a point, growing with log n in a shard / cores: the engine's own threads
    query ms  = measured, growing with log n in a shard; a cluster adds a round trip

Every replica holds all of that once more. A shard stays within SHARD points. Assumed and not measured: that
cost grows so; that the server's CPU time is the embedded engine's; that fsync costs no time to speak of (a
busy disk doubles the load); the cluster's round trip; that shards are asked at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: links a point in HNSW's lowest level, and 4 bytes for each
_LINK_BYTES = 2 * 16 * 4
#: more in one shard makes rebuilding and moving it slow
SHARD = 5_000_000
#: a node's memory that may be filled: the rest is for the system's page cache and for peaks
_FILL = 0.7
_ROUND_TRIP_MS = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured store: `dim` numbers a point, CPU seconds, bytes on disk, the 95th percentile of a query.

    `index_bytes` is what a point takes in memory besides its int8 vector and links: ids and payload indexes.
    """

    n: int
    dim: int
    load_cpu_s: float
    index_cpu_s: float
    disk_bytes: float
    p95_ms: float
    index_bytes: float


#: 2026-11-27, 2 cores of an EPYC with other jobs beside: n 1,000,000, `blend`, embedded. The 95th percentile
#: of samdb's search (ef 128, oversampling 8, 10 hits) is the middle one of three rounds of 200 questions at a
#: load average of 9: 1.1, 2.3 and 3.5 ms. Memory for indexes as of 1,000,000 of `neck`, made when ids were
#: indexed on disk: 987 MB of its own after 800 questions, less some 100 MB of the process, 256 MB of int8
#: vectors and 128 MB of links (746 bytes when they were indexed in memory)
MEASURED = Measured(1_000_000, 576, 235.2, 558.2, 4.479e9, 2.3, 500.0)


@dataclass(frozen=True, slots=True)
class Size:
    """What n points need in all, replicas included; hours to write them, then to index them.

    `p95_ms` is of nodes as busy as the measured one was.
    """

    n: int
    ram_gb: float
    disk_gb: float
    shards: int
    nodes: int
    load_hours: float
    index_hours: float
    p95_ms: float


def size(
    n: int, *, replicas: int = 1, node_ram_gb: float = 64.0, cores: int = 16, measured: Measured = MEASURED
) -> Size:
    """What a store of n points needs: one replica is the embedded store, more are a cluster's."""
    resident = measured.dim + _LINK_BYTES + measured.index_bytes
    ram_gb = n * replicas * resident / 1e9
    cluster = replicas > 1
    nodes = max(replicas + 1, math.ceil(ram_gb / (_FILL * node_ram_gb))) if cluster else 1
    shards = max(nodes, math.ceil(n / SHARD)) if cluster else 1
    growth = math.log(max(2, n / shards)) / math.log(measured.n)
    part = n * replicas / measured.n
    return Size(
        n=n,
        ram_gb=ram_gb,
        disk_gb=n * replicas * measured.disk_bytes / measured.n / 1e9,
        shards=shards,
        nodes=nodes,
        load_hours=part * measured.load_cpu_s / nodes / 3600,
        index_hours=part * growth * measured.index_cpu_s / (nodes * cores) / 3600,
        p95_ms=growth * measured.p95_ms + (_ROUND_TRIP_MS if cluster else 0.0),
    )


def main() -> int:
    """Print the table as Markdown."""
    print("| segments | store | RAM GB | disk GB | shards | nodes | load h | index h | p95 ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in (1_000_000, 10_000_000, 100_000_000):
        for name, replicas in (("embedded", 1), ("cluster, 2 replicas", 2)):
            s = size(n, replicas=replicas)
            sizes = f"{s.ram_gb:,.1f} | {s.disk_gb:,.0f} | {s.shards} | {s.nodes}"
            times = f"{s.load_hours:.2g} | {s.index_hours:.2g} | {s.p95_ms:.1f}"
            print(f"| {n // 1_000_000}M | {name} | {sizes} | {times} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
