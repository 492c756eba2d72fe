"""Images that are there twice, leaks between splits, and frame attributes that their neighbours dispute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from samdb.core.points import Condition, Where
from samdb.pipelines.audit_findings import Finding
from samdb.pipelines.audit_votes import VoteSettings, folds_of, judge_labels
from samdb.pipelines.labelled_sample import numbered
from samdb.ports import VectorStore
from samdb.stores.layout import GLOBAL_VECTOR, IMAGES

#: the (dataset, image id) of an image
ImageKey: TypeAlias = tuple[str, str]

#: what the ledger of images knows of a filter; the other keys are about segments
_IMAGE_KEYS = frozenset({"dataset", "split", "image_id"})
#: values that say nothing
_SAYS_NOTHING = frozenset({"undefined", "unknown", ""})
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class ImageSample:
    """N ingested images in the order of their ids: (dataset, image id), split, the file's sha256, and unit
    vectors (N, 256). `n_stored` is how many there are."""

    keys: tuple[ImageKey, ...]
    splits: tuple[str, ...]
    sha256: tuple[str, ...]
    vectors: NDArray[np.float32]
    n_stored: int


def read_images(store: VectorStore, where: Where, limit: int) -> ImageSample:
    """Up to `limit` images that were ingested and match what `where` says of images."""
    of_images = tuple(c for c in where if c.key in _IMAGE_KEYS)
    done = (Condition("status", "=", ("done",)), *of_images)
    points = store.scroll(IMAGES, done, (GLOBAL_VECTOR,))
    found = list(islice((p for p in points if GLOBAL_VECTOR in p.vectors), limit))
    return ImageSample(
        keys=tuple((str(p.payload["dataset"]), str(p.payload["image_id"])) for p in found),
        splits=tuple(str(p.payload.get("split", "")) for p in found),
        sha256=tuple(str(p.payload.get("sha256", "")) for p in found),
        vectors=np.array([p.vectors[GLOBAL_VECTOR] for p in found], np.float32).reshape(len(found), -1),
        n_stored=store.count(IMAGES, done),
    )


def twins(images: ImageSample, near: float) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, cosine), i < j, of images with the same bytes (cosine 1) or a cosine above `near`.

    Cosines are of the vectors less their mean: plain ones hardly differ. Of many
    images with the same bytes each is paired with the first.
    """
    first: dict[str, int] = {}
    originals: list[int] = []
    for i, digest in enumerate(images.sha256):
        if first.setdefault(digest, i) != i:
            yield first[digest], i, 1.0
        else:
            originals.append(i)
    rows = centred(images.vectors)[originals]
    for start in range(0, len(rows), _CHUNK):
        cosines = rows[start : start + _CHUNK] @ rows.T
        for a, b in np.argwhere(cosines > near):
            if (i := start + int(a)) < b:
                yield originals[i], originals[int(b)], float(min(cosines[a, b], 1.0))


def centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (N, D) less their mean, at L2 norm 1; a row that is the mean stays 0. Few rows are left as they
    are: the mean of two images says nothing of what images have in common."""
    if len(vectors) < 20:
        return vectors
    moved = vectors - vectors.mean(axis=0)
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(np.divide(moved, norms, out=np.zeros_like(moved), where=norms > 0))


def find_twins(images: ImageSample, near: float) -> list[Finding]:
    """Duplicates and near-duplicates, and among them the leaks between splits; the closest first."""
    found = []
    for i, j, cosine in twins(images, near):
        same = images.sha256[i] == images.sha256[j]
        what = "the same file" if same else "nearly the same picture"
        a, b = images.splits[i] or "no split", images.splits[j] or "no split"
        leak = a != b
        where = f"{what}, in {a} and in {b}" if leak else f"{what}, twice in {a}"
        (dataset, image_id), (other_dataset, other_image) = images.keys[i], images.keys[j]
        found.append(
            Finding(
                kind="leak" if leak else ("duplicate" if same else "near_duplicate"),
                dataset=dataset,
                image_id=image_id,
                score=cosine,
                reason=where,
                label=images.splits[i],
                other_dataset=other_dataset,
                other_image=other_image,
            )
        )
    return sorted(found, key=lambda f: (-f.score, f.dataset, f.image_id, f.other_image))


def find_attributes(
    images: ImageSample, values: Mapping[ImageKey, str], key: str, settings: VoteSettings
) -> tuple[list[Finding], int]:
    """Images whose value of the attribute `key` their neighbours dispute, the most suspicious first; and
    how many images have a value. An image that is there twice does not vote for itself."""
    rows = [i for i, k in enumerate(images.keys) if values.get(k, "") not in _SAYS_NOTHING]
    if len(rows) < 2:
        return [], len(rows)
    told = [values[images.keys[i]] for i in rows]
    names = sorted(set(told))
    files = [images.sha256[i] for i in rows]
    opinion = judge_labels(
        centred(images.vectors[rows]),
        np.array([names.index(v) for v in told], dtype=np.int64),
        numbered(files),
        folds_of(files),
        len(names),
        settings,
    )
    found = [
        Finding(
            kind="attribute",
            dataset=images.keys[i][0],
            image_id=images.keys[i][1],
            score=float(opinion.score[n]),
            reason=f"images like it are {names[opinion.suggested[n]]}",
            label=f"{key}={told[n]}",
            suggested=f"{key}={names[opinion.suggested[n]]}",
        )
        for n, i in enumerate(rows)
        if opinion.disputed[n]
    ]
    return sorted(found, key=lambda f: (-f.score, f.dataset, f.image_id)), len(rows)


def image_attributes(payloads: Sequence[Mapping[str, object]], key: str) -> dict[ImageKey, str]:
    """The attribute of each image, as its segments carry it; images whose segments disagree are left out."""
    seen: dict[ImageKey, set[str]] = defaultdict(set)
    for payload in payloads:
        if isinstance(value := payload.get(key), str):
            seen[str(payload["dataset"]), str(payload["image_id"])].add(value)
    return {image: values.pop() for image, values in seen.items() if len(values) == 1}
