"""Vector arithmetic: unit-norm rows and cosine similarity."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]


def normalise(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows (..., D) scaled to L2 norm 1, float32; a row that is unit already (to 1e-6) is kept bit for bit.

    Raises ValueError on a row that is zero or not finite: such an embedding must never be stored.
    """
    rows = np.asarray(rows, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise ValueError("an embedding must be finite and not zero")
    # rounding would change a unit row at each turn; 1e-6 is Qdrant's tolerance, too, for leaving it alone
    return np.asarray(np.where(np.abs(norms - 1.0) <= 1e-6, rows, rows / norms), dtype=np.float32)


def check_embedding(name: str, vector: NDArray[np.float32]) -> None:
    """Raise ValueError unless `vector` is float32 (D,), finite, of L2 norm 1 (to 1e-3)."""
    if vector.dtype != np.float32 or vector.ndim != 1:
        raise ValueError(f"embedding {name!r} must be float32 (D,), got {vector.dtype} {vector.shape}")
    norm = float(np.linalg.norm(vector))
    if not abs(norm - 1.0) <= 1e-3:  # written so that NaN fails too
        raise ValueError(f"embedding {name!r} must have L2 norm 1, got {norm:g}")
