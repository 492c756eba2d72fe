"""LanceDB: embedded, in a folder, columns for the payload; HNSW over int8 in one partition, then rescored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa

from scripts.benchmark.store.engine import Batch, PlainEngine
from scripts.benchmark.store.points import Vectors

_KEYS = ("dataset", "split", "image_id", "class_name", "granularity", "label_source", "mask_counts", "model")


class Lance(PlainEngine):
    """One table."""

    payload = True

    def __init__(self) -> None:
        self._table: Any = None

    def create(self, place: Path, dim: int, n: int) -> None:
        texts = [pa.field(key, pa.utf8()) for key in _KEYS]
        box = pa.field("box_xyxy", pa.list_(pa.float32()))
        vector = pa.field("vector", pa.list_(pa.float32(), dim))
        schema = pa.schema([pa.field("id", pa.utf8()), vector, box, *texts])
        self._table = lancedb.connect(str(place)).create_table("segments", schema=schema)

    def load(self, ready: Batch) -> None:
        columns: dict[str, Any] = {key: [p.get(key) for p in ready.payloads] for key in _KEYS}
        columns["box_xyxy"] = [p["box_xyxy"] for p in ready.payloads]
        columns["id"] = list(ready.ids)
        columns["vector"] = list(ready.vectors)
        self._table.add(pa.table(columns, schema=self._table.schema))

    def index(self) -> None:
        self._table.create_index(
            metric="cosine", index_type="IVF_HNSW_SQ", num_partitions=1, m=16, ef_construction=100
        )
        self._table.create_scalar_index("class_name", index_type="BITMAP")

    def open(self, place: Path) -> None:
        self._table = lancedb.connect(str(place)).open_table("segments")

    def query(self, vectors: Vectors, k: int, class_name: str | None) -> list[list[str]]:
        answers = []
        for vector in vectors:
            asked = self._table.search(vector).distance_type("cosine").limit(k).ef(100).refine_factor(2)
            if class_name is not None:
                asked = asked.where(f"class_name = '{class_name}'", prefilter=True)
            columns = asked.select(["id", "box_xyxy", *_KEYS, "_distance"]).to_arrow()
            answers.append(columns.column("id").to_pylist())
        return answers
