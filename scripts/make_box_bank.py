"""Make the bank that ships with samdb again: `scripts/make_box_bank STORE EVAL_JSON`.

STORE holds the 700 frames of a BDD100K sample, both splits, with `blend` and `quarters` embeddings and some
background. The bank is trained on all of them; its card gets the figures of EVAL_JSON: the same training on
`train` alone, judged by `val` (`samdb eval --train --train-recipe blend --train-recipe quarters`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import samdb
from samdb.bank.artefact import write_bank_file
from samdb.bank.built_in import BUILT_IN_FILE, BUILT_IN_NAME
from samdb.bank.train_settings import settings_for
from samdb.core.bank import Bank, BankCard
from samdb.pipelines.bank_source import LABELLED
from samdb.pipelines.bank_versions import delete_bank, load_bank
from samdb.stores.layout import IMAGES, SEGMENTS

RECIPES = ("blend", "quarters")
MAX_BYTES = 2 * 1024**2
_FIGURES = {
    "val_accuracy": "labelled/accuracy",
    "val_macro_f1": "labelled/macro_f1",
    "val_p_at_10": "retrieval/p_at_10",
    "val_open_set_auroc": "open_set/auroc",
    "val_automatic_precision_at_recall_50_of_shown": "automatic/precision_at_recall_50_of_shown",
}


def carded(bank: Bank, n_images: int, evaluation: Path, version: int) -> Bank:
    """The bank with a card that says where it comes from."""
    record = json.loads(evaluation.read_text())
    (method,) = [m for m in record["methods"] if m["name"] == "trained bank"]
    counts, seeds = record["counts"], record["protocol"]["seeds"]
    found = {
        name: method["figures"][key]["mean"] for name, key in _FIGURES.items() if key in method["figures"]
    }
    card: BankCard = replace(
        bank.card,
        name=BUILT_IN_NAME,
        version=version,
        metrics={**bank.card.metrics, **found},
        settings={
            **bank.card.settings,
            "trained_on": f"{n_images} frames of BDD100K (Yu et al. 2020), labelled boxes",
            "data_licence": "BDD100K: education, research and not-for-profit use only",
            "figures_are_of": f"val_*: the same training on {counts['train_images']} frames, judged by "
            f"{counts['val_boxes']} boxes of {counts['val_images']} others; {seeds} seeds",
        },
    )
    # the segments behind the prototypes stay where they are
    return Bank(card, tuple(replace(p, exemplar_id=None) for p in bank.prototypes), bank.head)


def rare(counts: dict[str, int], fewest: int) -> Sequence[str]:
    """Classes of too few labelled objects to be known."""
    return [name for name, n in counts.items() if n < fewest]


def main() -> None:
    """Train, write, say how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("evaluation", type=Path, metavar="EVAL_JSON")
    parser.add_argument("--fewest", type=int, default=20, help="labelled objects that a class needs")
    parser.add_argument("--version", type=int, default=1)
    parser.add_argument("--members", type=int, help="as of `samdb bank train`")
    parser.add_argument("--epochs", type=int, help="as of `samdb bank train`")
    parser.add_argument("--bank", help="a bank of this store instead of training a new one")
    options = parser.parse_args()
    with samdb.connect(options.store) as db:
        label = options.bank
        if label is None:
            left_out = rare(db.store.facet(SEGMENTS, "class_name", (LABELLED,)), options.fewest)
            report = db.train_bank(
                recipes=RECIPES,
                settings=settings_for("prototypes", members=options.members, epochs=options.epochs),
                name=BUILT_IN_NAME,
                exclude=left_out,
                activate=False,
            )
            label = report.bank.card.label
        bank = carded(load_bank(db.store, label), db.store.count(IMAGES), options.evaluation, options.version)
        write_bank_file(bank, BUILT_IN_FILE)
        if options.bank is None:
            delete_bank(db.store, label)
    size = BUILT_IN_FILE.stat().st_size
    print(f"{BUILT_IN_FILE}: {size:,} bytes, {len(bank.prototypes)} prototypes")
    if size > MAX_BYTES:
        raise SystemExit(f"too large: at most {MAX_BYTES:,} bytes")


if __name__ == "__main__":
    main()
