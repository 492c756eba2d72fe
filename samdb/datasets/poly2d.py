"""BDD100K's `poly2d`: outlines of straight lines and cubic Bezier curves, flattened to polygons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from samdb.datasets.json_file import Json, as_list, as_number, as_object
from samdb.datasets.segmentation import MAX_SIDE_PX
from samdb.errors import DatasetError

# at most one point per this many px of a curve's control polygon, which is never shorter than the curve
_STEP_PX = 2.0
_MAX_STEPS = 200


def poly2d_polygons(raw: Json) -> list[list[float]]:
    """Polygons `[x0, y0, x1, y1, ...]` in px of the closed outlines of a `poly2d`, either form of it.

    2020: `[{"vertices": [[x, y], ...], "types": "LLCC...", "closed": true}, ...]`;
    2018: `[[x, y, "L"], [x, y, "C"], ...]`. L is a vertex; C and the point after it are the control points
    of a cubic curve that ends at the point after those, around the end of the list if need be.
    Open lines enclose nothing and give no polygon.

    Raises DatasetError when an outline is not of that form.

    Source: `poly_to_patch` in scalabel (label/transforms.py), which draws them with matplotlib's CURVE4.
    """
    items = as_list(raw)
    if items and isinstance(items[0], list):
        points = [as_list(item) for item in items]
        types = "".join(str(p[2]) if len(p) == 3 else "?" for p in points)
        return [_flatten([list(p[:2]) for p in points], types)]
    outlines = [as_object(item) for item in items]
    return [
        _flatten(as_list(o.get("vertices")), str(o.get("types")))
        for o in outlines
        if o.get("closed", True) is not False
    ]


def _flatten(vertices: list[Json], types: str) -> list[float]:
    if len(vertices) < 3 or len(types) != len(vertices) or set(types) - {"L", "C"}:
        raise DatasetError(
            f"poly2d has {len(vertices)} vertices of types {types!r:.40}; it needs 3 or more, L or C each"
        )
    points = np.array([_point(v) for v in vertices], dtype=np.float64)
    count = len(points)
    out = [points[0:1]]  # the first point starts the outline, whatever its type
    i = 1
    while i < count:
        if types[i] == "L":
            out.append(points[i : i + 1])
            i += 1
        else:
            corners = np.stack([out[-1][-1], points[i], points[(i + 1) % count], points[(i + 2) % count]])
            out.append(_curve(corners))
            i += 3
    return [float(v) for v in np.concatenate(out).ravel()]


def _curve(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, 2) of the cubic Bezier curve of four corners (4, 2), without its start."""
    length = float(np.linalg.norm(np.diff(corners, axis=0), axis=1).sum())
    steps = int(min(max(math.ceil(length / _STEP_PX), 4), _MAX_STEPS))
    t = np.linspace(0.0, 1.0, steps + 1)[1:, None]
    weights = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return np.asarray(weights @ corners, dtype=np.float64)


def _point(raw: Json) -> tuple[float, float]:
    pair = as_list(raw)
    if len(pair) != 2:
        raise DatasetError(f"poly2d has the vertex {raw!r:.40}, not [x, y]")
    x, y = as_number(pair[0], "a vertex's x"), as_number(pair[1], "a vertex's y")
    if not (abs(x) <= MAX_SIDE_PX and abs(y) <= MAX_SIDE_PX):  # written so that NaN fails too
        raise DatasetError("poly2d has a vertex that is not finite, or far outside any image")
    return (x, y)
