"""Measure every recipe on a labelled dataset, beside the prior work's: `scripts/figures PATH`.

Fits banks on split `train` and reports on split `val`: labelled boxes of at least 1024 px2, the seven
classes that BDD100K has enough of. Prints a table (or JSON lines with --json). The store is kept, so that a
second run only measures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import samdb
from samdb.core.points import Condition, Query, Where
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.score import ScoreSource, score_bank, score_search
from samdb.ports import VectorStore
from samdb.sam.recipes import RECIPES
from samdb.stores.layout import SEGMENTS

CLASSES = ("car", "pedestrian", "traffic sign", "traffic light", "truck", "bus", "bicycle")
TRAIN: Where = (Condition("split", "=", ("train",)),)
VAL = ScoreSource(where=(Condition("split", "=", ("val",)),), classes=CLASSES, min_box_px2=1024)


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one way to classify; means over the seeds, with the spread of macro-F1."""

    name: str
    accuracy: float
    macro_f1: float
    macro_f1_std: float
    rejected: float
    accepted_accuracy: float
    precision_at_10: float
    build_s: float


def measure(store: VectorStore, recipe: str, seeds: int, *, prior_work: bool = False) -> Row:
    """Build banks on train with several seeds and score them on val.

    The prior work's bank has 51 centres in every class, however small, and asks only the nearest one.
    """
    scores, seconds = [], []
    for seed in range(seeds):
        report = build_bank(
            store,
            recipe=recipe,
            name="figures",
            where=TRAIN,
            seed=seed,
            segments_per_centre=1 if prior_work else None,
            k_neighbours=1 if prior_work else None,
            vote_temperature=0.02 if prior_work else None,
            activate=False,
        )
        seconds.append(report.seconds)
        scores.append(score_bank(store, report.card, VAL))
    f1 = [s.forced.macro_f1 for s in scores]
    accepted = [s.accepted_accuracy for s in scores if s.accepted_accuracy is not None]
    return Row(
        name=f"{recipe} (prior work's bank)" if prior_work else recipe,
        accuracy=float(np.mean([s.forced.accuracy for s in scores])),
        macro_f1=float(np.mean(f1)),
        macro_f1_std=float(np.std(f1)),
        rejected=float(np.mean([s.rejected for s in scores])),
        accepted_accuracy=float(np.mean(accepted)),
        precision_at_10=score_search(store, recipe, VAL, TRAIN).precision,
        build_s=float(np.median(seconds)),
    )


def latency_ms(store: VectorStore, recipe: str, n: int = 300) -> Mapping[str, float]:
    """p50 and p95 of one search for 10 hits, with payload, by stored segments as examples."""
    examples = [
        p.vectors[recipe] for p, _ in zip(store.scroll(SEGMENTS, (), (recipe,)), range(n), strict=False)
    ]
    for example in examples[:20]:
        store.query(SEGMENTS, [Query(recipe, (example,))])
    times = []
    for example in examples:
        started = time.perf_counter()
        store.query(SEGMENTS, [Query(recipe, (example,))])
        times.append((time.perf_counter() - started) * 1000)
    return {
        "n": len(times),
        "p50_ms": float(np.percentile(times, 50)),
        "p95_ms": float(np.percentile(times, 95)),
    }


def main() -> None:
    """Ingest what is not there yet, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="a dataset with the splits train and val")
    parser.add_argument("--store", default="samdb_figures", help="where to keep the segments")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="what to measure")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args()
    recipes = options.recipes.split(",")
    with samdb.connect(options.store) as db:
        for split in ("train", "val"):
            report = db.ingest(options.path, split=split, prompts="labels", recipes=recipes)
            print(
                f"{split}: {report.n_ingested} images in {report.seconds:.0f} s "
                f"({report.n_unchanged} known), {report.n_segments} segments",
                file=sys.stderr,
            )
        db.store.optimize(SEGMENTS)
        rows = [measure(db.store, recipe, options.seeds) for recipe in recipes]
        if "neck_box" in recipes:
            rows.append(measure(db.store, "neck_box", options.seeds, prior_work=True))
        speed = latency_ms(db.store, recipes[0])
    if options.json:
        for row in rows:
            print(json.dumps({name: getattr(row, name) for name in Row.__slots__}))
        print(json.dumps({"search": recipes[0], **speed}))
        return
    print("| recipe | accuracy | macro-F1 | rejected | right if accepted | P@10 | bank s |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r.name} | {r.accuracy:.3f} | {r.macro_f1:.3f} ± {r.macro_f1_std:.3f} | {r.rejected:.2f} | "
            f"{r.accepted_accuracy:.3f} | {r.precision_at_10:.3f} | {r.build_s:.1f} |"
        )
    print(f"\none search ({recipes[0]}):", ", ".join(f"{k} {v:.4g}" for k, v in speed.items()))


if __name__ == "__main__":
    main()
