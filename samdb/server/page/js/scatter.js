// Points on a canvas: zoom, pan, hover, lasso. It knows numbers and colours, nothing of segments.

import { h } from "./dom.js";
import { insideRing } from "./geometry.js";

const CELLS = 64;
const CLICK_PX = 4;

/**
 * Points are {x, y, color, hidden, above} with x, y in [-1, 1], y up. `on.hover(index|-1, [px, py])`, `on.pick(index)`,
 * `on.lasso(indices, add)` are told what happens.
 */
export class Scatter {
  constructor(on) {
    this.on = on;
    this.canvas = h("canvas.scatter-canvas");
    this.element = h("div.scatter", { tabindex: "0", role: "group", "aria-label": "Map of segments. Arrow keys move it, plus and minus zoom; the legend selects whole classes." }, this.canvas);
    Object.assign(this, { points: [], chosen: new Set(), hovered: -1, tool: "move", ring: null });
    this.resize = new ResizeObserver(() => this.#size());
    this.resize.observe(this.element);
    this.#listen();
  }

  /** Show these points. */
  set(points) {
    this.points = points;
    this.chosen = new Set();
    this.hovered = -1;
    // a grid of buckets: what is near the pointer is found without looking at every point
    this.buckets = new Map();
    points.forEach((p, i) => {
      const key = this.#cell(p.x, p.y);
      if (!this.buckets.has(key)) this.buckets.set(key, []);
      this.buckets.get(key).push(i);
    });
    this.fit();
  }

  /** Mark points as selected. */
  choose(indices) {
    this.chosen = new Set(indices);
    this.draw();
  }

  /** All points in view. */
  fit() {
    const { clientWidth: w, clientHeight: hh } = this.element;
    const [x0, x1] = extent(this.points.map((p) => p.x));
    const [y0, y1] = extent(this.points.map((p) => p.y));
    const k = Math.max(Math.min((w - 48) / (x1 - x0), (hh - 48) / (y1 - y0)), 10);
    this.fitted = k;
    this.view = { k, x: w / 2 - (k * (x0 + x1)) / 2, y: hh / 2 + (k * (y0 + y1)) / 2 };
    this.draw();
  }

  /** Zoom by a factor around a place of the element. */
  zoom(factor, at = [this.element.clientWidth / 2, this.element.clientHeight / 2]) {
    const k = Math.min(Math.max(this.view.k * factor, this.fitted / 2), this.fitted * 60);
    const scale = k / this.view.k;
    this.view = { k, x: at[0] - (at[0] - this.view.x) * scale, y: at[1] - (at[1] - this.view.y) * scale };
    this.draw();
  }

  /** Move the map by pixels. */
  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.draw();
  }

  /** Draw anew with the next frame. */
  draw() {
    if (this.drawing || !this.view) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.#paint();
    });
  }

  #size() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.element.clientWidth * ratio);
    this.canvas.height = Math.round(this.element.clientHeight * ratio);
    this.fit();
  }

  /** Where a point is on the element. */
  at(point) {
    return [this.view.x + point.x * this.view.k, this.view.y - point.y * this.view.k];
  }

  #paint() {
    const g = this.canvas.getContext("2d");
    const ratio = window.devicePixelRatio || 1;
    const style = getComputedStyle(this.element);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, this.element.clientWidth, this.element.clientHeight);
    const zoom = Math.sqrt(this.view.k / this.fitted);
    const r = Math.min(Math.max((this.points.length > 2000 ? 2.2 : 3) * zoom, 1.8), 7);
    const some = this.chosen.size > 0;
    // what has no value lies below what has one
    const order = this.points.map((_, i) => i).sort((a, b) => (this.points[a].above ?? 0) - (this.points[b].above ?? 0));
    order.forEach((i) => {
      const p = this.points[i];
      if (p.hidden || this.chosen.has(i)) return;
      g.globalAlpha = some ? 0.28 : 0.8;
      this.#dot(g, p, r);
    });
    g.globalAlpha = 1;
    g.strokeStyle = style.color;
    g.lineWidth = this.chosen.size > 200 ? 0.7 : 1.5;
    for (const i of this.chosen) {
      if (this.points[i].hidden) continue;
      this.#dot(g, this.points[i], r + 1);
      g.stroke();
    }
    if (this.hovered >= 0) {
      g.lineWidth = 2.5;
      this.#dot(g, this.points[this.hovered], r + 3);
      g.stroke();
    }
    if (this.ring) {
      g.beginPath();
      this.ring.forEach(([x, y], i) => g[i ? "lineTo" : "moveTo"](x, y));
      g.closePath();
      g.globalAlpha = 0.1;
      g.fillStyle = style.color;
      g.fill();
      g.globalAlpha = 1;
      g.setLineDash([5, 4]);
      g.stroke();
      g.setLineDash([]);
    }
  }

  #dot(g, point, r) {
    const [x, y] = this.at(point);
    g.beginPath();
    g.arc(x, y, r, 0, 2 * Math.PI);
    g.fillStyle = point.color;
    g.fill();
  }

  #cell(x, y) {
    const index = (v) => Math.min(CELLS - 1, Math.max(0, Math.floor(((v + 1) / 2) * CELLS)));
    return index(x) * CELLS + index(y);
  }

  /** The point below a place of the element, or -1. */
  #near([px, py]) {
    const [x, y] = [(px - this.view.x) / this.view.k, (this.view.y - py) / this.view.k];
    const reach = 9;
    const span = reach / this.view.k;
    let best = -1;
    let distance = reach;
    const step = 2 / CELLS;
    for (let cx = x - span; cx <= x + span + step; cx += step) {
      for (let cy = y - span; cy <= y + span + step; cy += step) {
        for (const i of this.buckets?.get(this.#cell(Math.min(cx, x + span), Math.min(cy, y + span))) ?? []) {
          if (this.points[i].hidden) continue;
          const [qx, qy] = this.at(this.points[i]);
          const d = Math.hypot(qx - px, qy - py);
          if (d < distance) [best, distance] = [i, d];
        }
      }
    }
    return best;
  }

  #listen() {
    const element = this.element;
    const place = (event) => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    let start = null;
    const hover = (index, at) => {
      if (index !== this.hovered) {
        this.hovered = index;
        this.draw();
      }
      this.on.hover(index, at);
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      element.focus({ preventScroll: true });
      element.setPointerCapture(event.pointerId);
      const at = place(event);
      start = { at, last: at, lasso: event.shiftKey || this.tool === "lasso", moved: false };
    });
    element.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (!start) return hover(this.#near(at), at);
      start.moved ||= Math.hypot(at[0] - start.at[0], at[1] - start.at[1]) > CLICK_PX;
      if (!start.moved) return undefined;
      hover(-1, at);
      if (start.lasso) {
        this.ring ??= [start.at];
        this.ring.push(at);
        this.draw();
      } else this.pan(at[0] - start.last[0], at[1] - start.last[1]);
      start.last = at;
      return undefined;
    });
    element.addEventListener("pointerup", (event) => {
      const begun = start;
      start = null;
      const ring = this.ring;
      this.ring = null;
      if (ring) {
        const inside = this.points.flatMap((p, i) => (!p.hidden && insideRing(ring, ...this.at(p)) ? [i] : []));
        this.on.lasso(inside, event.ctrlKey || event.metaKey);
        this.draw();
      } else if (begun && !begun.moved) this.on.pick(this.#near(place(event)), event.ctrlKey || event.metaKey);
    });
    element.addEventListener("pointerleave", () => hover(-1, null));
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY / 300), place(event));
      },
      { passive: false },
    );
  }

  /** Stop watching. */
  dispose() {
    this.resize.disconnect();
    cancelAnimationFrame(this.drawing);
  }
}

/** The least and the greatest value, at least a little apart. */
function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) [low, high] = [Math.min(low, v), Math.max(high, v)];
  return low < high ? [low, high] : [(values.length ? low : 0) - 1, (values.length ? low : 0) + 1];
}
