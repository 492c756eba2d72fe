"""Chroma: embedded, in a folder, with the payload as its metadata (lists as JSON text, it takes none)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import chromadb

from scripts.benchmark.store.engine import Batch, PlainEngine
from scripts.benchmark.store.points import Payload, Vectors

_MOST = 5000


class Chroma(PlainEngine):
    """One collection of a persistent client."""

    payload = True

    def __init__(self) -> None:
        self._collection: Any = None

    def create(self, place: Path, dim: int, n: int) -> None:
        client = self._client(place)
        space = {"hnsw": {"space": "cosine", "max_neighbors": 16, "ef_construction": 100, "ef_search": 100}}
        self._collection = client.create_collection("segments", configuration=space, embedding_function=None)

    def load(self, ready: Batch) -> None:
        for at in range(0, len(ready), _MOST):
            part = slice(at, at + _MOST)
            self._collection.add(
                ids=list(ready.ids[part]),
                embeddings=ready.vectors[part],
                metadatas=[_flat(p) for p in ready.payloads[part]],
            )

    def open(self, place: Path) -> None:
        self._collection = self._client(place).get_collection("segments", embedding_function=None)

    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        where = None if class_name is None else {"class_name": class_name}
        answer = self._collection.query(
            query_embeddings=vectors, n_results=k, where=where, include=["metadatas", "distances"]
        )
        return [list(ids) for ids in answer["ids"]]

    def _client(self, place: Path) -> Any:
        quiet = chromadb.config.Settings(anonymized_telemetry=False)
        return chromadb.PersistentClient(path=str(place), settings=quiet)


def _flat(payload: Payload) -> dict[str, Any]:
    return {
        k: json.dumps(v) if isinstance(v, (list, dict)) else v for k, v in payload.items() if v is not None
    }
