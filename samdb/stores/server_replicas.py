"""Copies of shards on a cluster: which there are, and making as many as the settings want.

A server that is told of another replication factor keeps to it for new shards only; the copies of those that
exist are made and dropped here.
"""

from __future__ import annotations

import time
from collections import Counter

from qdrant_client import models

from samdb.core.points import Replica
from samdb.errors import StoreError
from samdb.ports import Progress
from samdb.stores.server_connection import ServerConnection

_POLL_S = 0.2


def replicas_of(connection: ServerConnection, physical: str) -> list[Replica]:
    """Every copy of every shard, by shard; a server that is no cluster has one of each."""
    info = connection.call(lambda c: c.collection_cluster_info(physical))
    here = [Replica(s.shard_id, info.peer_id, s.state.value) for s in info.local_shards]
    there = [Replica(s.shard_id, s.peer_id, s.state.value) for s in info.remote_shards]
    return sorted(here + there, key=lambda r: (r.shard_id, r.peer_id))


def peers_of(connection: ServerConnection) -> list[int]:
    """The nodes of the cluster; none when the server is no cluster."""
    status = connection.call(lambda c: c.cluster_status())
    return sorted(map(int, status.peers)) if isinstance(status, models.ClusterStatusOneOf1) else []


def level_replicas(connection: ServerConnection, physical: str, wanted: int, progress: Progress) -> None:
    """Make or drop copies until each shard has `wanted`, or one on each node if there are fewer nodes."""
    peers = peers_of(connection)
    if not peers:
        return
    wanted = min(wanted, len(peers))
    held = replicas_of(connection, physical)
    load = Counter(dict.fromkeys(peers, 0)) + Counter()
    load.update(r.peer_id for r in held)
    shards = sorted({r.shard_id for r in held})
    for done, shard in enumerate(shards, 1):
        while True:
            copies = [r for r in replicas_of(connection, physical) if r.shard_id == shard]
            if len(copies) == wanted:
                break
            if len(copies) < wanted:
                to = min((p for p in peers if p not in {r.peer_id for r in copies}), key=lambda p: load[p])
                _replicate(connection, physical, copies, to)
                load[to] += 1
            else:
                gone = max(copies, key=lambda r: (r.state != "Active", load[r.peer_id]))
                _drop(connection, physical, gone)
                load[gone.peer_id] -= 1
        progress("copies of shards", done, len(shards))


def _replicate(connection: ServerConnection, physical: str, copies: list[Replica], to: int) -> None:
    active = [r for r in copies if r.state == "Active"]
    if not active:
        raise StoreError(
            f"no node has a whole copy of shard {copies[0].shard_id} of {physical!r}: bring the missing "
            "nodes back, see `samdb store status`"
        )
    move = models.ReplicateShard(shard_id=active[0].shard_id, from_peer_id=active[0].peer_id, to_peer_id=to)
    operation = models.ReplicateShardOperation(replicate_shard=move)
    connection.call(lambda c: c.cluster_collection_update(physical, operation))
    _wait(connection, physical, active[0].shard_id, to, there=True)


def _drop(connection: ServerConnection, physical: str, gone: Replica) -> None:
    operation = models.DropReplicaOperation(
        drop_replica=models.Replica(shard_id=gone.shard_id, peer_id=gone.peer_id)
    )
    connection.call(lambda c: c.cluster_collection_update(physical, operation))
    _wait(connection, physical, gone.shard_id, gone.peer_id, there=False)


def _wait(connection: ServerConnection, physical: str, shard_id: int, peer: int, *, there: bool) -> None:
    """Wait until a copy is there and whole, or gone; a transfer takes as long as the data is large."""
    absent_since = time.monotonic()
    while True:
        found = [r for r in replicas_of(connection, physical) if (r.shard_id, r.peer_id) == (shard_id, peer)]
        if (there and found and found[0].state == "Active") or (not there and not found):
            return
        if found:
            absent_since = time.monotonic()
        if there and time.monotonic() - absent_since > connection.timeout_s:
            raise StoreError(
                f"shard {shard_id} of {physical!r} could not be copied to node {peer}: see its log, then run "
                "`samdb store migrate` again"
            )
        time.sleep(_POLL_S)
