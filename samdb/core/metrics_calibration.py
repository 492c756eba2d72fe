"""How far confidences can be believed: reliability bins and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reliability:
    """Answers by confidence, in B bins of equal width over [0, 1].

    `counts` (B,) answers lie in each bin; `confidence` and `accuracy` (B,) are their means, NaN where there
    is none.
    """

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Expected calibration error: |accuracy - confidence| averaged over all answers; 0 of none.

        Source: Guo et al., "On calibration of modern neural networks", equation 3.
        """
        used = self.counts > 0
        if not used.any():
            return 0.0
        gap = np.abs(self.accuracy[used] - self.confidence[used])
        return float((gap * self.counts[used]).sum() / self.counts.sum())


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], n_bins: int = 10) -> Reliability:
    """Bin N answers by `confidence` (N,) in [0, 1]; 1 belongs to the last bin.

    Raises ValueError on a confidence outside of [0, 1].
    """
    if len(confidence) and not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError("a confidence lies in [0, 1]")
    bins = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins).astype(np.int64)
    divisor = np.where(counts > 0, counts, np.nan)
    return Reliability(
        counts=counts,
        confidence=np.bincount(bins, confidence, n_bins) / divisor,
        accuracy=np.bincount(bins, right, n_bins) / divisor,
    )
