"""How well `samdb audit` finds wrong labels: `scripts/audit_figures STORE`.

Plants wrong labels among the labelled whole segments of a store, in memory: a share of them gets another
class, drawn by how frequent the classes are. Precision and recall are taken at k = the number planted, where
they are equal; the labels' own mistakes count as false alarms. `listed` is the share of all labels that
the audit would list, `found` the share of the planted ones among them, `right` how often the suggestion is
the true class. The same is done with the frame attributes of images.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import samdb
from samdb.core.where import parse_where
from samdb.pipelines.audit import FRAME_ATTRIBUTES
from samdb.pipelines.audit_images import ImageSample, centred, image_attributes, read_images
from samdb.pipelines.audit_votes import VoteSettings, folds_of, judge_labels
from samdb.pipelines.labelled_sample import LabelledSample, numbered, read_wholes

#: what was compared: the vote alone with several numbers of neighbours, the probe alone, both; and ranking
#: by plain shares instead of balanced ones
CHOICES: Mapping[str, VoteSettings] = {
    "5 neighbours": VoteSettings("neighbours", k_neighbours=5),
    "20 neighbours": VoteSettings("neighbours", k_neighbours=20),
    "50 neighbours": VoteSettings("neighbours"),
    "100 neighbours": VoteSettings("neighbours", k_neighbours=100),
    "linear probe": VoteSettings("probe"),
    "both (default)": VoteSettings(),
    "50 neighbours, not balanced": VoteSettings("neighbours", balance=0.0),
    "linear probe, not balanced": VoteSettings("probe", balance=0.0),
    "both, not balanced": VoteSettings(balance=0.0),
}


@dataclass(frozen=True, slots=True)
class Labels:
    """N things with a class: unit rows (N, D), class indices (N,), the image of each, and their fold."""

    vectors: NDArray[np.float32]
    classes: NDArray[np.int64]
    images: NDArray[np.int64]
    folds: NDArray[np.int64]
    n_classes: int


@dataclass(frozen=True, slots=True)
class Row:
    """Means over the seeds of one choice, with the spread of precision."""

    what: str
    choice: str
    n: int
    n_planted: int
    precision_at_k: float
    precision_std: float
    listed: float
    found: float
    right: float


def planted(labels: Labels, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The classes (N,) with a share of them replaced by another, drawn by frequency; and which (N,)."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(labels.classes), dtype=bool)
    wrong[rng.choice(len(wrong), round(share * len(wrong)), replace=False)] = True
    frequency = np.bincount(labels.classes, minlength=labels.n_classes).astype(np.float64)
    classes = labels.classes.copy()
    for row in np.flatnonzero(wrong):
        others = frequency.copy()
        others[classes[row]] = 0.0
        classes[row] = rng.choice(labels.n_classes, p=others / others.sum())
    return classes, wrong


def measure(labels: Labels, what: str, choice: str, share: float, seeds: int) -> Row:
    """Plant, judge, and see how many of the k most suspicious were planted."""
    figures = []
    for seed in range(seeds):
        classes, wrong = planted(labels, share, seed)
        opinion = judge_labels(
            labels.vectors, classes, labels.images, labels.folds, labels.n_classes, CHOICES[choice]
        )
        # as the audit lists them: the disputed ones by their score
        order = np.argsort(np.where(opinion.disputed, -opinion.score, 2.0), kind="stable")
        figures.append(
            (
                wrong[order[: wrong.sum()]].mean(),
                opinion.disputed.mean(),
                opinion.disputed[wrong].mean(),
                (opinion.suggested[wrong] == labels.classes[wrong]).mean(),
            )
        )
    mean, spread = np.mean(figures, axis=0), np.std(figures, axis=0)
    n = len(labels.classes)
    return Row(what, choice, n, round(share * n), *(float(v) for v in (mean[0], spread[0], *mean[1:])))


def of_segments(sample: LabelledSample) -> Labels:
    """The classes of segments, in the order of their ids."""
    order = np.argsort(np.array(sample.ids))
    names = ["\x1f".join(sample.image_keys[i]) for i in order]
    return Labels(
        sample.vectors[order],
        sample.classes[order],
        sample.images[order],
        folds_of(names),
        len(sample.class_names),
    )


def of_images(images: ImageSample, sample: LabelledSample) -> Iterator[tuple[str, Labels]]:
    """The frame attributes of images."""
    for key in FRAME_ATTRIBUTES:
        values = image_attributes(sample.payloads, key)
        rows = [i for i, k in enumerate(images.keys) if values.get(k, "undefined") != "undefined"]
        if len(rows) < 20:
            continue
        told = [values[images.keys[i]] for i in rows]
        names = sorted(set(told))
        files = [images.sha256[i] for i in rows]
        yield (
            key,
            Labels(
                centred(images.vectors[rows]),
                np.array([names.index(v) for v in told], dtype=np.int64),
                numbered(files),
                folds_of(files),
                len(names),
            ),
        )


def main() -> None:
    """Measure and print a table, or JSON lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", help="a store with labelled segments")
    parser.add_argument("--recipes", default="blend", help="what to judge by, separated by commas")
    parser.add_argument("--where", action="append", default=[], help="such as split=train or area_px>=1024")
    parser.add_argument("--share", type=float, default=0.05, help="how many labels are made wrong")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args()
    where = parse_where(options.where)
    rows: list[Row] = []
    with samdb.connect(options.store) as db:
        samples = {r: read_wholes(db.store, r, where, 50_000) for r in options.recipes.split(",")}
        images = read_images(db.store, where, 50_000)
    for recipe, sample in samples.items():
        labels = of_segments(sample)
        rows += [measure(labels, recipe, c, options.share, options.seeds) for c in CHOICES]
    for key, labels in of_images(images, next(iter(samples.values()))):
        rows += [measure(labels, key, c, options.share, options.seeds) for c in CHOICES]
    if options.json:
        for row in rows:
            print(json.dumps({name: getattr(row, name) for name in Row.__slots__}))
        return
    print("| what | judged by | planted | precision = recall at k | listed | found | right |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r.what} | {r.choice} | {r.n_planted} of {r.n:,} | {r.precision_at_k:.3f} ± "
            f"{r.precision_std:.3f} | {r.listed:.1%} | {r.found:.1%} | {r.right:.1%} |"
        )


if __name__ == "__main__":
    main()
