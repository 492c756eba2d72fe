"""Which node of a cluster has which copy of a shard; asking nodes what the client has no word for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from qdrant_client.http.exceptions import UnexpectedResponse

from samdb.errors import StoreError
from samdb.stores.server_connection import ServerAddress, ServerConnection, trust
from samdb.stores.server_errors import FOREIGN, translate
from samdb.stores.server_replicas import replicas_of

# a snapshot is written before its first byte comes
_SNAPSHOT_S = 3600.0
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Holders:
    """The named nodes that have a whole copy of a shard, and whether those are all copies that there are."""

    nodes: list[ServerAddress]
    all_named: bool


def find_holders(connection: ServerConnection, physical: str) -> dict[int, Holders]:
    """The holders of each shard, by the nodes' own word. Raises StoreError when no named node has one."""
    found = _look(connection, physical)[0]
    missing = [shard for shard, holders in found.items() if not holders.nodes]
    if missing:
        raise StoreError(
            f"no node that --store names and that answers has shard {missing[0]} of {physical!r}: name all "
            "nodes of the cluster, with commas between them, bring back those that are away, and see "
            "`samdb store status`"
        )
    return found


def wait_for_holders(connection: ServerConnection, physical: str) -> dict[int, Holders]:
    """The holders of a new collection's shards, once all copies on named nodes are there."""
    until = time.monotonic() + connection.timeout_s
    while True:
        found, complete = _look(connection, physical)
        if complete:
            return found
        if time.monotonic() > until:
            raise StoreError(
                f"not every copy of the new {physical!r} is made: is a node away? Nothing was replaced; run "
                "it again once `samdb store status` shows all"
            )
        time.sleep(POLL_S)


def count_copies(node: ServerAddress, physical: str) -> int:
    """How many points there are, of each shard's copies that with the fewest. Raises StoreUnavailableError
    when one of them does not answer.
    """
    with asking(node) as client:
        where, all_copies = f"/collections/{physical}/points/count", {"consistency": "all"}
        found = result(client.post(where, params=all_copies, json={"exact": True}))["count"]
    assert isinstance(found, int)
    return found


def _look(connection: ServerConnection, physical: str) -> tuple[dict[int, Holders], bool]:
    """The holders as they are now, and whether each has got, and a named node has, all that is planned."""
    planned = replicas_of(connection, physical)
    named: dict[int, ServerAddress] = {}
    there: set[tuple[int, int]] = set()
    for node in connection.nodes:
        try:
            with asking(node) as client:
                info = result(client.get(f"/collections/{physical}/cluster"))
        except StoreError:
            continue  # this node is away: another one may have what it has
        peer, shards = info["peer_id"], info["local_shards"]
        assert isinstance(peer, int)
        assert isinstance(shards, list)
        named[peer] = node
        there |= {(shard["shard_id"], peer) for shard in shards if shard["state"] == "Active"}
    found: dict[int, Holders] = {}
    for shard in sorted({r.shard_id for r in planned}):
        peers = [r.peer_id for r in planned if r.shard_id == shard]
        nodes = [node for peer, node in named.items() if (shard, peer) in there]
        found[shard] = Holders(nodes, set(peers) <= named.keys())
    complete = all(
        r.state == "Active" and (r.peer_id not in named or (r.shard_id, r.peer_id) in there) for r in planned
    )
    return found, complete and all(holders.nodes for holders in found.values())


@contextmanager
def asking(node: ServerAddress) -> Iterator[httpx.Client]:
    """A plain client of one node. Raises StoreErrors for what goes wrong with it."""
    parts = urlsplit(node.shown)
    netloc = parts.netloc if parts.port else f"{parts.netloc}:{node.port}"
    try:
        with httpx.Client(
            base_url=f"{parts.scheme}://{netloc}{parts.path}",
            headers={"api-key": node.api_key} if node.api_key else {},
            timeout=httpx.Timeout(_SNAPSHOT_S, connect=node.timeout_s),
            verify=trust(node),
        ) as client:
            yield client
    except FOREIGN as exc:
        raise translate(node.shown, exc) from exc


def check(answer: httpx.Response) -> None:
    """Raise UnexpectedResponse, as the client does, on a refusal."""
    if answer.is_error:
        answer.read()
        raise UnexpectedResponse.for_response(answer)


def result(answer: httpx.Response) -> dict[str, object]:
    """What an answer holds."""
    check(answer)
    found = answer.json()["result"]
    return found if isinstance(found, dict) else {}
