"""Parquet: a row per segment with everything that is known of it, and its vectors, with pyarrow.

A recipe's vectors are a column of its name: lists of float32 of fixed size. `mask_counts` is COCO's
compressed run lengths of an image of (`mask_height`, `mask_width`) px; `attributes` is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samdb.errors import ConfigError
from samdb.reports.export_record import ExportImage, ExportObject, LeftOuts
from samdb.reports.json_parts import dumps

if TYPE_CHECKING:
    import pyarrow as pa

# 4,096 rows with a vector of 576 numbers are 9 MB; readers like groups of some megabytes
_ROWS_PER_GROUP = 4096


class ParquetWriter:
    """Writes the file `target`, in groups of rows. `dims` gives the recipes and their dimensions.

    Raises ConfigError when pyarrow is not installed.
    """

    def __init__(
        self, target: Path, dims: Mapping[str, int], about: Mapping[str, str], left_out: LeftOuts
    ) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as exc:
            raise ConfigError("Parquet needs pyarrow: pip install 'samdb[parquet]'") from exc
        self._pa = pa
        self._dims = dict(dims)
        self._left_out = left_out
        self._schema = _schema(pa, dims, about)
        # vectors are noise to a compressor; run lengths and texts are not
        self._writer = parquet.ParquetWriter(
            target, self._schema, compression="zstd", use_dictionary=_DICTIONARY, write_statistics=True
        )
        self._rows: list[tuple[ExportImage, ExportObject]] = []

    def images_folder(self, split: str) -> str | None:
        """A table holds no images."""
        return None

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Add a row per object."""
        self._rows += [(image, found) for found in objects]
        while len(self._rows) >= _ROWS_PER_GROUP:
            self._write(self._rows[:_ROWS_PER_GROUP])
            del self._rows[:_ROWS_PER_GROUP]

    def finish(self) -> Sequence[str]:
        """Write the last rows and the file's end."""
        if self._rows:
            self._write(self._rows)
        self._writer.close()
        return ()

    def close(self) -> None:
        """Let go of the file."""
        self._writer.close()

    def _write(self, rows: Sequence[tuple[ExportImage, ExportObject]]) -> None:
        pa = self._pa
        plain = [_row(image, found) for image, found in rows]
        columns = [
            pa.array([row[field.name] for row in plain], type=field.type)
            for field in self._schema
            if field.name not in self._dims
        ]
        for recipe, dim in self._dims.items():
            vectors = [found.segment.embeddings.get(recipe) for _, found in rows]
            lacking = np.array([v is None for v in vectors])
            self._left_out.note(
                f"{recipe!r} vectors that are not stored", rows[0][1].segment.segment_id, int(lacking.sum())
            )
            flat = np.concatenate([np.zeros(dim, np.float32) if v is None else v for v in vectors])
            values = pa.array(flat, type=pa.float32())
            columns.append(pa.FixedSizeListArray.from_arrays(values, dim, mask=pa.array(lacking)))
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), _ROWS_PER_GROUP)


_DICTIONARY = [
    "dataset", "split", "image_id", "image_path", "class_name", "source_category", "label_source",
    "granularity", "prompt_kind", "model", "run",
]  # fmt: skip


def _schema(pa_: object, dims: Mapping[str, int], about: Mapping[str, str]) -> pa.Schema:
    import pyarrow as pa

    text, real, whole = pa.string(), pa.float64(), pa.int32()
    box = pa.list_(pa.float64(), 4)
    fields = [
        ("segment_id", text), ("dataset", text), ("split", text), ("image_id", text), ("image_path", text),
        ("class_name", text), ("score", real), ("source_category", text), ("label_source", text),
        ("label_id", text), ("granularity", text), ("parent_id", text), ("prompt_kind", text),
        ("area_px", whole), ("box_xyxy", box), ("label_box_xyxy", box), ("mask_height", whole),
        ("mask_width", whole), ("mask_counts", text), ("predicted_iou", real), ("stability_score", real),
        ("attributes", text), ("flags", pa.list_(text)), ("model", text), ("run", text),
        *((recipe, pa.list_(pa.float32(), dim)) for recipe, dim in dims.items()),
    ]  # fmt: skip
    return pa.schema(fields, metadata={f"samdb.{key}": value for key, value in about.items()})


def _row(image: ExportImage, found: ExportObject) -> dict[str, object]:
    s = found.segment
    return {
        "segment_id": s.segment_id,
        "dataset": s.dataset,
        "split": s.split,
        "image_id": s.image_id,
        "image_path": str(image.path),
        "class_name": found.class_name,
        "score": found.score,
        "source_category": s.source_category,
        "label_source": s.label_source,
        "label_id": s.label_id,
        "granularity": s.granularity,
        "parent_id": s.parent_id,
        "prompt_kind": s.prompt_kind,
        "area_px": s.area_px,
        "box_xyxy": s.box_xyxy,
        "label_box_xyxy": s.label_box_xyxy,
        "mask_height": s.mask.size_hw[0],
        "mask_width": s.mask.size_hw[1],
        "mask_counts": s.mask.counts,
        "predicted_iou": s.predicted_iou,
        "stability_score": s.stability_score,
        "attributes": dumps(dict(s.attributes)),
        "flags": list(s.flags),
        "model": s.model,
        "run": s.run,
    }
