"""What a user asks to be exported, checked and completed from the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from samdb.core.bank import BankCard
from samdb.core.points import Condition
from samdb.core.where import parse_where
from samdb.errors import ConfigError
from samdb.pipelines.export import ExportFormat, ExportReport, ExportRequest, ImagesMode, export
from samdb.pipelines.export_source import ExportSource, ExportWhat
from samdb.ports import VectorStore
from samdb.stores.layout import SEGMENTS
from samdb.stores.migrate import stored_params

# so many segments tell which recipes are stored: an ingest stores the same ones with all its segments
_LOOKED_AT = 256


def run_export(
    store: VectorStore,
    out: Path,
    on_progress: Callable[[int, int], None],
    format: ExportFormat,
    what: ExportWhat,
    where: Sequence[str],
    split: str | None,
    images: ImagesMode,
    card: BankCard | None,
    recipes: Sequence[str] | None,
    force: bool,
) -> ExportReport:
    """Write an export of a store.

    `recipes` None takes along those that are stored, where the format holds vectors. Raises ConfigError on
    what cannot be asked for.
    """
    held = stored_params(store)
    vectors = held.vectors if held else {}
    conditions = parse_where(where)
    if split is not None:
        conditions = (*conditions, Condition("split", "=", (split,)))
    if recipes and format != "parquet":
        raise ConfigError(f"{format} holds no embeddings: leave --recipes out, or export parquet")
    unknown = sorted(set(recipes or ()) - vectors.keys())
    if unknown:
        raise ConfigError(f"unknown recipe {unknown[0]!r}: choose from {', '.join(sorted(vectors))}")
    names: tuple[str, ...] = ()
    if format == "parquet":
        names = tuple(dict.fromkeys(recipes)) if recipes is not None else _stored(store, vectors)
    source = ExportSource(what, conditions, card if what == "predictions" else None, names)
    dims = {name: vectors[name] for name in names}
    return export(store, ExportRequest(format, source, images, dims, force), out, on_progress)


def _stored(store: VectorStore, vectors: Mapping[str, int]) -> tuple[str, ...]:
    """The recipes that the first segments have."""
    first = islice(store.scroll(SEGMENTS, (), sorted(vectors)), _LOOKED_AT)
    return tuple(sorted({name for point in first for name in point.vectors}))
