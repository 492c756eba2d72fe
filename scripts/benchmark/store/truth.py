"""The exact nearest points of each query, by scanning all of them; and recall."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.benchmark.store.points import CHUNK, Points


def exact(points: Points, queries: int, k: int, filters: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """For no filter ("") and for each class: numbers (Q, k) of the nearest points, -1 where there is none."""
    asked = points.queries(queries)
    classes = np.array([name or "" for name in points.classes()])
    best = {name: (np.full((queries, k), -2.0), np.full((queries, k), -1)) for name in ("", *filters)}
    for start in range(0, len(points), CHUNK):
        stop = min(start + CHUNK, len(points))
        cosines = asked @ points.vectors(start, stop).T
        for name, (scores, rows) in best.items():
            of = np.arange(start, stop) if not name else start + np.flatnonzero(classes[start:stop] == name)
            scores_now = np.concatenate([scores, cosines[:, of - start]], axis=1)
            rows_now = np.concatenate([rows, np.broadcast_to(of, (queries, len(of)))], axis=1)
            top = np.argsort(-scores_now, axis=1, kind="stable")[:, :k]
            best[name] = (np.take_along_axis(scores_now, top, 1), np.take_along_axis(rows_now, top, 1))
    return {name: rows for name, (_, rows) in best.items()}


def save(folder: Path, truth: dict[str, NDArray[np.int64]]) -> None:
    """Write it where the measured processes find it."""
    np.savez(folder / "truth.npz", **{f"of {name}": rows for name, rows in truth.items()})  # type: ignore[arg-type]


def load(folder: Path) -> dict[str, NDArray[np.int64]]:
    """Read what `save` wrote."""
    with np.load(folder / "truth.npz") as file:
        return {name.removeprefix("of "): file[name] for name in file.files}


def recall(answers: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> float:
    """Share of the exact nearest points that were found, over all queries."""
    found = sum(len(set(a) & set(w)) for a, w in zip(answers, wanted, strict=True))
    return found / max(1, sum(map(len, wanted)))
