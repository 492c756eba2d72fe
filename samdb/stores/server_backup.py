"""Backup and restore of a server or cluster: a snapshot of every shard, from a node that has it.

A restore fills new collections beside those that are there and turns all aliases to them in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from samdb.errors import StoreError, StoreUnavailableError
from samdb.ports import Progress
from samdb.stores.backup_files import Manifest, SavedFile, check_files
from samdb.stores.server_collections import ServerCollections
from samdb.stores.server_connection import ServerAddress, ServerConnection, trust
from samdb.stores.server_errors import FOREIGN, translate
from samdb.stores.server_replicas import replicas_of

# a snapshot is written before its first byte comes
_SNAPSHOT_S = 3600.0
_POLL_S = 0.2


def save_files(
    connection: ServerConnection, collections: ServerCollections, folder: Path, progress: Progress
) -> Sequence[SavedFile]:
    """Fetch a snapshot of every shard of every collection into a folder."""
    saved = []
    for name, physical in collections.physical_names().items():
        (folder / name).mkdir()
        holders = _holders(connection, physical)
        for done, (shard, nodes) in enumerate(sorted(holders.items()), 1):
            progress(f"save {name}", done - 1, len(holders))
            path = f"{name}/shard-{shard}.snapshot"
            saved.append(_save_from_any(nodes, physical, shard, folder, path))
            progress(f"save {name}", done, len(holders))
    return saved


def restore_files(
    connection: ServerConnection,
    collections: ServerCollections,
    folder: Path,
    manifest: Manifest,
    progress: Progress,
) -> None:
    """Make new collections of a backup's snapshots, compare their counts, and let the aliases name them."""
    check_files(folder, manifest.files, progress)
    held = collections.physical_names()
    fresh = {
        name: collections.next_version(held[name]) if name in held else f"{collections.alias(name)}_v1"
        for name in manifest.collections
    }
    try:
        for name, saved in manifest.collections.items():
            physical = fresh[name]
            connection.call(lambda c: c.delete_collection(physical))  # noqa: B023
            collections.ensure_physical(physical, replace(saved.spec, name=name))
            shards = [f for f in manifest.files if f.path.startswith(f"{name}/")]
            holders = _holders(connection, physical)
            for done, file in enumerate(shards, 1):
                progress(f"restore {name}", done - 1, len(shards))
                shard = int(Path(file.path).stem.removeprefix("shard-"))
                _upload(holders[shard][0], physical, shard, folder / file.path, file.sha256)
                progress(f"restore {name}", done, len(shards))
            n = _wait_whole(connection, physical, saved.n_points)
            if n != saved.n_points:
                raise StoreError(
                    f"{name!r} came back with {n:,} points, not {saved.n_points:,}: nothing was replaced, "
                    "restore another backup"
                )
    except BaseException:
        with contextlib.suppress(StoreError):  # what made it fail is worth more; the next one clears it
            connection.call_each(fresh.values(), lambda c, physical: c.delete_collection(physical))
        raise
    turns = [
        models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=physical, alias_name=collections.alias(name))
        )
        for name, physical in fresh.items()
    ]
    connection.call(lambda c: c.update_collection_aliases(turns))
    for name in held.keys() | fresh.keys():
        collections.forget(name)
        collections.drop_others(name, fresh.get(name, ""))


def _holders(connection: ServerConnection, physical: str) -> dict[int, list[ServerAddress]]:
    """For each shard the named nodes that have a whole copy. Raises StoreError when none has."""
    found: dict[int, list[ServerAddress]] = {r.shard_id: [] for r in replicas_of(connection, physical)}
    for node in connection.nodes:
        try:
            with _client(node) as client:
                shards = _result(client.get(f"/collections/{physical}/cluster"))["local_shards"]
        except (StoreError, *FOREIGN):
            continue  # this node is away: another one may have what it has
        assert isinstance(shards, list)
        for shard in shards:
            if shard["state"] == "Active":
                found[shard["shard_id"]].append(node)
    missing = [shard for shard, nodes in found.items() if not nodes]
    if missing:
        raise StoreError(
            f"no node that --store names has shard {missing[0]} of {physical!r}: name all nodes of the "
            "cluster, with commas between them, and see `samdb store status`"
        )
    return found


def _save_from_any(
    nodes: list[ServerAddress], physical: str, shard: int, folder: Path, path: str
) -> SavedFile:
    for node in nodes[:-1]:
        try:
            return _save(node, physical, shard, folder, path)
        except StoreError:
            continue  # the next one has the same
    return _save(nodes[-1], physical, shard, folder, path)


def _save(node: ServerAddress, physical: str, shard: int, folder: Path, path: str) -> SavedFile:
    where = f"/collections/{physical}/shards/{shard}/snapshots"
    digest, size = hashlib.sha256(), 0
    with _asking(node), _client(node) as client:
        made = _result(client.post(where, params={"wait": "true"}))
        try:
            with client.stream("GET", f"{where}/{made['name']}") as answer, (folder / path).open("wb") as out:
                _check(answer)
                for block in answer.iter_bytes(1 << 20):
                    digest.update(block)
                    size += len(block)
                    out.write(block)
        finally:
            client.delete(f"{where}/{made['name']}")
    if made.get("checksum") not in (None, digest.hexdigest()):
        raise StoreError(
            f"the snapshot of shard {shard} of {physical!r} arrived damaged: run the backup again"
        )
    return SavedFile(path, size, digest.hexdigest())


def _upload(node: ServerAddress, physical: str, shard: int, file: Path, sha256: str) -> None:
    where = f"/collections/{physical}/shards/{shard}/snapshots/upload"
    # what is in the snapshot wins over the empty copies, which are then made from it
    how = {"wait": "true", "priority": "snapshot", "checksum": sha256}
    with _asking(node), _client(node) as client, file.open("rb") as stream:
        _result(client.post(where, params=how, files={"snapshot": (file.name, stream)}))


def _wait_whole(connection: ServerConnection, physical: str, n_points: int) -> int:
    """Wait until every copy of every shard is whole, as they are made from the one that was uploaded, and
    give the number of points.

    The node that is asked may not have heard of an upload to another one yet: there the empty copies still
    pass for whole, which the count betrays, as all copies are asked for it.
    """
    until = time.monotonic() + connection.timeout_s
    while True:
        info = connection.call(lambda c: c.collection_cluster_info(physical))
        states = {r.state for r in replicas_of(connection, physical)}
        late = time.monotonic() > until
        if states == {"Active"} and not info.shard_transfers:
            try:
                n = _count_copies(connection.address, physical)
                if n == n_points or late:
                    return n
            except StoreUnavailableError:  # one of them is no longer active
                if late:
                    raise
        if info.shard_transfers:
            until = time.monotonic() + connection.timeout_s
        elif late:
            raise StoreError(
                f"the copies of {physical!r} do not become whole ({', '.join(sorted(states))}): is a node "
                "away? Nothing was replaced; run it again once `samdb store status` shows all"
            )
        time.sleep(_POLL_S)


def _count_copies(node: ServerAddress, physical: str) -> int:
    """How many points there are, of each shard's copies that with the fewest."""
    with _asking(node), _client(node) as client:
        # the client has no word for asking all copies
        where, all_copies = f"/collections/{physical}/points/count", {"consistency": "all"}
        found = _result(client.post(where, params=all_copies, json={"exact": True}))["count"]
    assert isinstance(found, int)
    return found


@contextmanager
def _asking(node: ServerAddress) -> Iterator[None]:
    try:
        yield
    except FOREIGN as exc:
        raise translate(node.shown, exc) from exc


def _client(node: ServerAddress) -> httpx.Client:
    parts = urlsplit(node.shown)
    netloc = parts.netloc if parts.port else f"{parts.netloc}:{node.port}"
    return httpx.Client(
        base_url=f"{parts.scheme}://{netloc}{parts.path}",
        headers={"api-key": node.api_key} if node.api_key else {},
        timeout=httpx.Timeout(_SNAPSHOT_S, connect=node.timeout_s),
        verify=trust(node),
    )


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        answer.read()
        raise UnexpectedResponse.for_response(answer)


def _result(answer: httpx.Response) -> dict[str, object]:
    _check(answer)
    found = answer.json()["result"]
    return found if isinstance(found, dict) else {}
