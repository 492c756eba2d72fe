"""Which classes a segment may be of: prediction sets with a stated guarantee.

For each class c the held-out segments of c say how low the score of c falls for a true c. With `limits[c]`
below all but a share alpha of them, the set {c : score(c) >= limits[c]} misses the true class of a segment
with a probability of at most alpha, class by class (not only on average, where frequent classes would hide
what happens to rare ones).

The guarantee. Segments of one image are alike, so that images, not segments, are exchangeable: each image
that shows class c counts once, its segments of c sharing its weight, plus one image of score minus infinity
for the image to come. If images are exchangeable, then for a segment of c drawn at random from a new image
that shows c, Pr(c in its set) >= coverage[c], for any number of images and any score. Where there are too few
images for 1 - alpha, `coverage` is what they do allow. Three things keep it from holding to the letter:
- a bank is judged by images held out, but the bank that is used has learned from them, too (of such folds
  1 - 2 alpha is proven, about 1 - alpha is seen);
- the number of neighbours and the vote's temperature were chosen on the same segments, and a trained head
  stopped where it did best on them;
- images of another camera or another town are not exchangeable with these.

Sources: Sadinle, Lei and Wasserman 2019 (least ambiguous sets with class-wise coverage, arXiv 1609.00451);
Lee, Barber and Willett 2023 (hierarchical data, arXiv 2306.06342); Barber and others 2021 (folds, arXiv
1905.02928).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: the limit of a class that no held-out segment scored for: no score reaches it
UNREACHED = 2.0


@dataclass(frozen=True, slots=True)
class Conformal:
    """`limits` maps a class to the score from which it is in the set, `coverage` to the guaranteed share."""

    limits: Mapping[str, float]
    coverage: Mapping[str, float]


def fit_conformal(
    truth: NDArray[np.int64],
    scores: NDArray[np.float64],
    image_keys: Sequence[str],
    classes: Sequence[str],
    alpha: float,
) -> Conformal:
    """Fit on held-out segments: `truth` (N,) class indices, `scores` (N, C or more) of each class, 0 where
    it had no vote; `image_keys` (N,) their images.

    A class without a vote is never in a set: the true ones it misses that way lower its coverage.
    """
    limits, coverage = {}, {}
    for index, name in enumerate(classes):
        own = np.flatnonzero(truth == index).tolist()
        limits[name], coverage[name] = _limit(scores[own, index], [image_keys[i] for i in own], alpha)
    return Conformal(limits, coverage)


def _limit(scores: NDArray[np.float64], images: Sequence[str], alpha: float) -> tuple[float, float]:
    """The highest score that keeps 1 - alpha of the weight at or above it, and the weight it does keep."""
    if not len(scores) or scores.max() <= 0.0:
        return UNREACHED, 0.0
    _, image, sizes = np.unique(np.asarray(images), return_inverse=True, return_counts=True)
    weights = 1.0 / ((len(sizes) + 1) * sizes[image])
    order = np.argsort(-scores, kind="stable")
    scores, kept = scores[order], np.cumsum(weights[order])
    usable = scores > 0.0
    # equal scores stay together: what counts is the weight at the last of them
    kept = kept[np.searchsorted(-scores, -scores, side="right") - 1]
    # 1e-9: sums of equal weights differ in their last bits
    enough = np.flatnonzero(usable & (kept >= 1.0 - alpha - 1e-9))
    at = int(enough[0]) if len(enough) else int(np.flatnonzero(usable)[-1])
    return float(scores[at]), float(kept[at])
