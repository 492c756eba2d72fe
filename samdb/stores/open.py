"""From a store's address to the store."""

from __future__ import annotations

from pathlib import Path

from samdb.errors import ConfigError
from samdb.ports import VectorStore


def open_store(
    address: str,
    *,
    api_key: str | None = None,
    prefix: str = "",
    timeout_s: float = 30.0,
    retry_s: float = 60.0,
    prefer_grpc: bool = True,
    grpc_port: int | None = None,
    tls_ca: Path | None = None,
    tls_verify: bool = True,
) -> VectorStore:
    """Open the store at an address; all but the address matters to servers only.

    `memory:` is a new store that dies with the process; `http://host:6333` or `https://...` a Qdrant server
    or cluster, whose gRPC port is one above unless given; all nodes of a cluster can be named, with commas
    between them, so that another one is asked when one is away; all else a folder, created by the first
    ingest. `prefix` keeps several stores on one server apart.

    Raises ConfigError on an address that cannot be one, StoreUnavailableError when the server does not
    answer, StoreInUseError when another process holds the folder.
    """
    # each engine is imported only when it is used: the clients take half a second to load
    if address == "memory:":
        from samdb.stores.memory import MemoryStore

        return MemoryStore()
    if address.startswith(("http://", "https://")):
        from samdb.stores.server import ServerStore
        from samdb.stores.server_connection import ServerAddress

        url, *others = (part.strip() for part in address.split(","))
        server = ServerAddress(
            url,
            api_key,
            timeout_s,
            retry_s,
            prefer_grpc,
            grpc_port,
            tls_ca,
            tls_verify,
            tuple(others),
        )
        return ServerStore(server, prefix)
    if not address or "://" in address:
        raise ConfigError(
            f"{address!r} is no store: write a folder such as ./samdb_data, http://host:6333, or memory:"
        )
    from samdb.stores.edge import EdgeStore

    return EdgeStore(Path(address))
