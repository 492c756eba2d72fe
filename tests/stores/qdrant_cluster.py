"""A real Qdrant cluster on this machine: three nodes, each of which can be killed and come back."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tests.stores.qdrant_server import NoServerError, QdrantServer, free_ports

N_NODES = 3
_WAIT_S = 60.0


@dataclass
class QdrantCluster:
    """Nodes that know each other; `nodes[i]` is one server, its data in `folder`/node{i}.

    Start it, then give any node's `url` (or all of `urls`) to a store. After `kill(i)` the node is gone as in
    a power cut; `start_node(i)` brings it back with its data, and `wait_whole` waits until every replica of
    every collection is active again.
    """

    folder: Path
    nodes: list[QdrantServer] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the first node."""
        return self.nodes[0].url

    @property
    def urls(self) -> list[str]:
        """The addresses of all nodes."""
        return [node.url for node in self.nodes]

    def start(self) -> None:
        """Start all nodes and wait until each knows the others. Raises NoServerError."""
        first_p2p = ""
        try:
            for i in range(N_NODES):
                p2p = free_ports()[0]
                uri = f"http://127.0.0.1:{p2p}"
                arguments = ["--uri", uri] if i == 0 else ["--uri", uri, "--bootstrap", first_p2p]
                first_p2p = first_p2p or uri
                settings = {
                    "QDRANT__CLUSTER__ENABLED": "true",
                    "QDRANT__CLUSTER__P2P__PORT": str(p2p),
                    # on one machine ticks can be short: a dead leader is replaced sooner
                    "QDRANT__CLUSTER__CONSENSUS__TICK_PERIOD_MS": "100",
                }
                node = QdrantServer(self.folder / f"node{i}", settings, arguments=arguments)
                self.nodes.append(node)
                node.start()
            self._until(lambda: all(len(_peers(node)) == N_NODES for node in self.nodes), "find each other")
        except BaseException:
            self.stop()
            raise

    def kill(self, i: int) -> None:
        """Kill -9 of a node."""
        self.nodes[i].stop(kill=True)

    def start_node(self, i: int) -> None:
        """Bring a node back, with the data it had. Raises NoServerError."""
        self.nodes[i].start()

    def wait_whole(self) -> None:
        """Wait until all nodes run and every replica is active. Raises NoServerError after a minute."""
        self._until(lambda: all(_is_whole(node) for node in self.nodes), "bring every replica back")

    def stop(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.stop(kill=True)  # nothing here is kept, and a node that leaves politely takes seconds

    def _until(self, done: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            if done():
                return
            time.sleep(0.1)
        raise NoServerError(f"the nodes of the test cluster did not {what} within {_WAIT_S:.0f} s")


def ask(node: QdrantServer, path: str) -> dict[str, object]:
    """The `result` of a GET on a node, {} when it does not answer."""
    try:
        with urllib.request.urlopen(f"{node.url}{path}", timeout=5) as answer:
            return cast(dict[str, object], json.load(answer)["result"])
    except OSError:
        return {}


def _peers(node: QdrantServer) -> dict[str, object]:
    return cast(dict[str, object], ask(node, "/cluster").get("peers", {}))


def _is_whole(node: QdrantServer) -> bool:
    collections = cast(list[dict[str, str]] | None, ask(node, "/collections").get("collections"))
    if collections is None:
        return False
    for collection in collections:
        shards = ask(node, f"/collections/{collection['name']}/cluster")
        local = cast(list[dict[str, object]], shards.get("local_shards", []))
        remote = cast(list[dict[str, object]], shards.get("remote_shards", []))
        if not local + remote or shards.get("shard_transfers"):
            return False
        if any(shard["state"] != "Active" for shard in local + remote):
            return False
    return True
