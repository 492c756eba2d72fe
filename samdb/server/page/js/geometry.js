// Shapes in pixels of an image.

/** Polygons [[x, y, x, y, ...], ...] as one path; holes are rings of it (fill with "evenodd"). */
export function polygonPath(polygons) {
  const path = new Path2D();
  for (const ring of polygons ?? []) {
    for (let i = 0; i + 1 < ring.length; i += 2) path[i ? "lineTo" : "moveTo"](ring[i], ring[i + 1]);
    path.closePath();
  }
  return path;
}

/** Whether a point lies inside a ring [[x, y], ...] (even-odd). */
export function insideRing(ring, x, y) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
