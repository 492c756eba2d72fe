"""Measure every recipe on a labelled dataset, beside the prior work's: `scripts/figures PATH`.

`samdb eval` of each recipe in one table: banks of whole objects fitted on split `train`, reported on split
`val`: labelled boxes of at least 1024 px2, the seven classes that BDD100K has enough of. Prints a table (or
JSON lines with --json). The store is kept, so that a second run only measures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import samdb
from samdb.core.points import Query
from samdb.pipelines.evaluate import PRIOR_NAME, evaluate
from samdb.pipelines.evaluate_material import PRIOR_RECIPE
from samdb.pipelines.evaluate_report import EvalSettings, MethodReport
from samdb.pipelines.evaluate_table import cell
from samdb.ports import VectorStore
from samdb.sam.recipes import RECIPES
from samdb.stores.layout import SEGMENTS

CLASSES = ("car", "pedestrian", "traffic sign", "traffic light", "truck", "bus", "bicycle")
COLUMNS = {
    "labelled/accuracy": "accuracy",
    "labelled/macro_f1": "macro-F1",
    "labelled/rejected": "rejected",
    "labelled/accepted_accuracy": "right if accepted",
    "retrieval/p_at_10": "P@10",
}


def measure(store: VectorStore, recipes: list[str], seeds: int) -> list[MethodReport]:
    """The bank of every recipe, and the prior work's where its recipe is among them."""
    found: list[MethodReport] = []
    for recipe in recipes:
        settings = EvalSettings(recipe=recipe, classes=CLASSES, parts=False, seeds=seeds)
        report = evaluate(store, settings)
        found.append(report.methods[0])
        if recipe == PRIOR_RECIPE:
            found += [m for m in report.methods if m.name == PRIOR_NAME]
    return found


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
        rows = measure(db.store, recipes, options.seeds)
        speed = latency_ms(db.store, recipes[0])
    if options.json:
        for row in rows:
            shown = {key: {"mean": s.mean, "std": s.std} for key, s in row.figures.items()}
            print(json.dumps({"name": row.name, "recipes": list(row.recipes), "figures": shown}))
        print(json.dumps({"search": recipes[0], **speed}))
        return
    print("| " + " | ".join(("recipe", *COLUMNS.values())) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for row in rows:
        figures = [cell(row.figures.get(key), options.seeds) for key in COLUMNS]
        print("| " + " | ".join((row.name, *figures)) + " |")
    print(f"\none search ({recipes[0]}):", ", ".join(f"{k} {v:.4g}" for k, v in speed.items()))


if __name__ == "__main__":
    main()
