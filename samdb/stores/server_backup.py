"""Backup and restore of a server or cluster: a snapshot of every shard, from a node that has it.

A restore fills new collections beside those that are there and turns all aliases to them in one step.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from qdrant_client import models

from samdb.errors import StoreError, StoreUnavailableError
from samdb.ports import Progress
from samdb.stores.backup_files import Manifest, SavedFile, check_files
from samdb.stores.server_collections import ServerCollections
from samdb.stores.server_connection import ServerAddress, ServerConnection
from samdb.stores.server_nodes import (
    POLL_S,
    Holders,
    asking,
    check,
    count_copies,
    find_holders,
    result,
    wait_for_holders,
)
from samdb.stores.server_replicas import replicas_of

#: copy only there, or also make the other copies from it
_Priority: TypeAlias = Literal["no_sync", "snapshot"]


def save_files(
    connection: ServerConnection, collections: ServerCollections, folder: Path, progress: Progress
) -> Sequence[SavedFile]:
    """Fetch a snapshot of every shard of every collection into a folder."""
    saved = []
    for name, (physical, shards) in check_reachable(connection, collections).items():
        (folder / name).mkdir()
        for done, (shard, holders) in enumerate(shards.items(), 1):
            progress(f"save {name}", done - 1, len(shards))
            path = f"{name}/shard-{shard}.snapshot"
            saved.append(_save_from_any(holders.nodes, physical, shard, folder, path))
            progress(f"save {name}", done, len(shards))
    return saved


def check_reachable(
    connection: ServerConnection, collections: ServerCollections
) -> dict[str, tuple[str, dict[int, Holders]]]:
    """Of each collection its physical name and who has its shards. Raises StoreError when nobody has one."""
    physical_names = collections.physical_names().items()
    return {name: (physical, find_holders(connection, physical)) for name, physical in physical_names}


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
            holders = wait_for_holders(connection, physical)
            for done, file in enumerate(shards, 1):
                progress(f"restore {name}", done - 1, len(shards))
                shard = int(Path(file.path).stem.removeprefix("shard-"))
                _upload_to_all(holders[shard], physical, shard, folder / file.path, file.sha256)
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
    with asking(node) as client:
        made = result(client.post(where, params={"wait": "true"}))
        try:
            with client.stream("GET", f"{where}/{made['name']}") as answer, (folder / path).open("wb") as out:
                check(answer)
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


def _upload_to_all(holders: Holders, physical: str, shard: int, file: Path, sha256: str) -> None:
    """Make every copy of a shard from a snapshot.

    A server can make the other copies from the one that is uploaded, and now and then leaves one of them
    empty, which passes for whole (1.16.3, in a tenth of the restores into a busy cluster): where all copies
    are on nodes that are named, each is uploaded.
    """
    if holders.all_named:
        for node in holders.nodes:
            _upload(node, physical, shard, file, sha256, "no_sync")
    else:
        _upload(holders.nodes[0], physical, shard, file, sha256, "snapshot")


def _upload(
    node: ServerAddress,
    physical: str,
    shard: int,
    file: Path,
    sha256: str,
    priority: Literal["no_sync", "snapshot"],
) -> None:
    where = f"/collections/{physical}/shards/{shard}/snapshots/upload"
    how = {"wait": "true", "priority": priority, "checksum": sha256}
    with asking(node) as client, file.open("rb") as stream:
        result(client.post(where, params=how, files={"snapshot": (file.name, stream)}))


def _wait_whole(connection: ServerConnection, physical: str, n_points: int) -> int:
    """Wait until every copy of every shard is whole and give the number of points.

    Of an upload from which the other copies are made the node that is asked may not have heard yet: there the
    empty copies still pass for whole, which the count betrays, as all copies are asked for it.
    """
    until = time.monotonic() + connection.timeout_s
    while True:
        info = connection.call(lambda c: c.collection_cluster_info(physical))
        states = {r.state for r in replicas_of(connection, physical)}
        late = time.monotonic() > until
        if states == {"Active"} and not info.shard_transfers:
            try:
                n = count_copies(connection.address, physical)
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
        time.sleep(POLL_S)
