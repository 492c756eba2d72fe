"""Retrieval figures: MAP@R, and means in which every class counts alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def average_precision_at_r(relevant: NDArray[np.bool_], n_relevant: int) -> float:
    """AP@R of one query: over its R = `n_relevant` first answers the sum of precision at each right one,
    divided by R; 0 when nothing is relevant.

    `relevant` says of the answers, best first, whether they are right; what is missing is wrong.
    Source: Musgrave, Belongie and Lim, "A metric learning reality check", section 3.2.
    """
    if n_relevant == 0:
        return 0.0
    first = relevant[:n_relevant]
    precision = np.cumsum(first) / np.arange(1, len(first) + 1)
    return float((precision * first).sum() / n_relevant)


def class_mean(values: Sequence[float] | NDArray[np.float64], class_names: Sequence[str]) -> float:
    """The mean over classes of each class's mean value; 0 when there is none.

    Raises ValueError unless there is a class for every value.
    """
    if len(values) != len(class_names):
        raise ValueError(f"{len(values)} values but {len(class_names)} classes")
    by_class: dict[str, list[float]] = {}
    for value, name in zip(values, class_names, strict=True):
        by_class.setdefault(name, []).append(float(value))
    return float(np.mean([np.mean(own) for own in by_class.values()])) if by_class else 0.0
