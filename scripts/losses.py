"""Compare what a head can be trained with, all tuned equally: `scripts/losses STORE`.

Cross-validates inside the split that is learned from, by image: for every loss the same number of settings
(margin x scale), each trained without one fold and judged on its labelled boxes by the nearest prototypes
that the loss learned. What is judged by in the end (`samdb eval`) is never looked at.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

import samdb
from samdb.bank.calibrate import N_FOLDS, fold_of
from samdb.bank.classifier import class_indices
from samdb.bank.fit_head import fit_head
from samdb.bank.table import SegmentTable
from samdb.bank.train_settings import LOSSES, LossName, TrainSettings, settings_for
from samdb.core.metrics import classification_figures
from samdb.core.where import parse_where
from samdb.pipelines.bank_source import BankSource, read_background, read_labelled
from samdb.sam.recipes import PROJECTION_DIM

#: margins and scales tried: three of each around what its authors advise (degrees for `subcenter`)
GRIDS: Mapping[LossName, tuple[Sequence[float], Sequence[float]]] = {
    "prototypes": ((0.0, 0.1, 0.2), (10.0, 20.0, 32.0)),
    "softtriple": ((0.01, 0.1, 0.2), (10.0, 20.0, 32.0)),
    "subcenter": ((5.7, 14.3, 28.6), (16.0, 32.0, 64.0)),
    "proxyanchor": ((0.0, 0.1, 0.2), (16.0, 32.0, 64.0)),
}
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Row:
    """Means over the folds of one setting of a loss."""

    loss: str
    margin: float
    scale: float
    accuracy: float
    macro_f1: float
    p_at_10: float


def measure(table: SegmentTable, settings: TrainSettings, folds: Sequence[int]) -> Row:
    """Train without each of the folds in turn, and judge by it."""
    dealt = np.array([fold_of(key, 0) for key in table.image_keys])
    whole = np.array([g == "whole" for g in table.granularities]) & np.array(
        [name is not None for name in table.class_names]
    )
    counts = Counter(name for name, w in zip(table.class_names, whole, strict=True) if w)
    figures = []
    for fold in folds:
        learn, judges = table.take(dealt != fold), table.take((dealt == fold) & whole)
        judges = judges.take(np.array([counts[c] >= _FEWEST for c in judges.class_names], dtype=bool))
        fitted = fit_head(learn, ("x",), PROJECTION_DIM, settings)
        rows = judges.projected(fitted.head).vectors
        prototypes = fitted.prototypes[: len(learn.classes)]
        weights = np.exp(settings.scale * (np.einsum("nd,ckd->nck", rows, prototypes) - 1))
        guesses = [learn.classes[i] for i in weights.sum(axis=2).argmax(axis=1)]
        found = classification_figures([str(c) for c in judges.class_names], guesses)
        gallery = learn.take(np.array([g == "whole" and c is not None for g, c in _kinds(learn)], dtype=bool))
        known = class_indices(gallery.class_names, learn.classes)
        near = np.argsort(-(rows @ gallery.projected(fitted.head).vectors.T), axis=1)[:, :10]
        truth = class_indices(judges.class_names, learn.classes)
        hits = (known[near] == truth[:, None]).mean(axis=1)
        balanced = np.mean([hits[truth == c].mean() for c in np.unique(truth)])
        figures.append((found.accuracy, found.macro_f1, float(balanced)))
    mean = np.mean(figures, axis=0)
    return Row(settings.loss, settings.margin, settings.scale, *(float(v) for v in mean))


def _kinds(table: SegmentTable) -> Sequence[tuple[str, str | None]]:
    return list(zip(table.granularities, table.class_names, strict=True))


def main() -> None:
    """Read, train, print a table or JSON lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", help="a store with labelled segments")
    parser.add_argument("--recipes", default="blend", help="what to learn from, separated by commas")
    parser.add_argument("--where", action="append", default=["split=train"])
    parser.add_argument("--folds", type=int, default=2, help=f"how many of the {N_FOLDS} to judge by")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args()
    first, *beside = options.recipes.split(",")
    with samdb.connect(options.store) as db:
        source = BankSource(first, parse_where(options.where), (), 1, 0, True, beside=tuple(beside))
        segments = [*read_labelled(db.store, source).segments, *read_background(db.store, source, 20_000)]
    table = SegmentTable.of(segments)
    rows: list[Row] = []
    for loss in LOSSES:
        for margin, scale in itertools.product(*GRIDS[loss]):
            settings = replace(
                settings_for(loss, members=1, epochs=options.epochs), margin=margin, scale=scale
            )
            rows.append(measure(table, settings, range(options.folds)))
            print(rows[-1], file=sys.stderr)
    if options.json:
        for row in rows:
            print(json.dumps({name: getattr(row, name) for name in Row.__slots__}))
        return
    print("| loss | margin, scale | accuracy | macro-F1 | P@10 | worst setting's macro-F1 |")
    print("|---|---|---|---|---|---|")
    for loss in LOSSES:
        own = sorted((r for r in rows if r.loss == loss), key=lambda r: r.macro_f1)
        best = own[-1]
        print(
            f"| {loss} | {best.margin:g}, {best.scale:g} | {best.accuracy:.3f} | {best.macro_f1:.3f} | "
            f"{best.p_at_10:.3f} | {own[0].macro_f1:.3f} |"
        )


if __name__ == "__main__":
    main()
