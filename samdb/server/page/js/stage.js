// A picture with masks on it: hover, wheel, click, box, points, zoom. It knows pixels and shapes, nothing of the server.

import { fill, h, number } from "./dom.js";
import { polygonPath } from "./geometry.js";
import { drawStage } from "./stagedraw.js";
import { working } from "./talk.js";

const LEVELS = ["whole", "part", "subpart"];
const CLICK_PX = 4;
const WHEEL_STEP_MS = 110;

/**
 * `on.hover(shape|null)`, `on.select(shape|null)`, `on.prompt({box_xyxy}|{points, foreground})` are told what
 * happens. A shape is {id, polygons, box_xyxy, area_px, granularity, class_name, parent_id}.
 */
export class Stage {
  constructor(on) {
    this.on = on;
    this.img = h("img.stage-image", { alt: "", draggable: "false" });
    this.canvas = h("canvas.stage-canvas");
    this.cover = h("div.stage-cover");
    this.words = h("p.stage-words", { hidden: true });
    this.element = h(
      "div.stage",
      { tabindex: "0", role: "group", "aria-label": "Picture with its segments. The list beside it has the same segments; press ? for keys." },
      this.img,
      this.canvas,
      this.cover,
      this.words,
    );
    this.hits = document.createElement("canvas").getContext("2d");
    Object.assign(this, { shapes: [], hovered: null, selected: null, candidate: null, prompt: null, band: null, tool: "select", masks: true, captions: false });
    this.levels = new Set(LEVELS.slice(0, 1));
    this.size = { width: 16, height: 9 };
    this.offset = 0;
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(this.element);
    this.#listen();
  }

  /** Show an image of so many pixels. */
  setImage(url, size) {
    this.size = size;
    const work = working("Loading the image …");
    fill(this.cover, work.element);
    this.img.onload = () => {
      work.stop();
      this.img.classList.add("loaded");
    };
    this.img.onerror = () => {
      work.stop();
      fill(this.cover, h("p.stage-problem", null, "The image's file cannot be read: was it moved after ingesting?"));
    };
    this.img.src = url;
    this.fit();
  }

  /** Show these shapes, the largest below. */
  setShapes(shapes) {
    this.shapes = [...shapes].sort((a, b) => b.area_px - a.area_px);
    for (const shape of this.shapes) shape.path ??= polygonPath(shape.polygons);
    this.light(null);
    this.draw();
  }

  /** Fit the whole image in. */
  fit() {
    const { clientWidth: w, clientHeight: hh } = this.element;
    if (!w || !hh) return;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(w * ratio);
    this.canvas.height = Math.round(hh * ratio);
    const k = Math.min(w / this.size.width, hh / this.size.height);
    this.fitted = k;
    this.#look({ k, x: (w - k * this.size.width) / 2, y: (hh - k * this.size.height) / 2 });
  }

  /** Zoom by a factor around a place of the element (default: its middle). */
  zoom(factor, at = [this.element.clientWidth / 2, this.element.clientHeight / 2]) {
    const k = Math.min(Math.max(this.view.k * factor, this.fitted), 24 * this.fitted);
    if (k === this.fitted) return this.fit();
    const scale = k / this.view.k;
    return this.#look({ k, x: at[0] - (at[0] - this.view.x) * scale, y: at[1] - (at[1] - this.view.y) * scale });
  }

  #look(view) {
    this.view = view;
    this.img.style.width = `${this.size.width}px`;
    this.img.style.height = `${this.size.height}px`;
    this.img.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.k})`;
    this.draw();
  }

  /** Draw anew with the next frame. */
  draw() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      if (this.view) drawStage(this);
    });
  }

  /** Light a shape, as hovering does. */
  light(shape) {
    if (shape === this.hovered) return;
    this.hovered = shape;
    this.words.hidden = !shape;
    if (shape) this.words.textContent = `${shape.class_name ?? "no class"} · ${shape.granularity} · ${number.format(shape.area_px)} px²`;
    this.on.hover(shape);
    this.draw();
  }

  /** Select a shape, or none. */
  select(shape) {
    this.selected = shape;
    this.on.select(shape);
    this.draw();
  }

  /** From the whole towards the smallest part (+1), or back (-1): below the pointer, else in the family. */
  step(by) {
    if (this.pointer) {
      const stack = this.#stack(...this.pointer);
      const base = this.#base(stack);
      const to = Math.min(Math.max(base + this.offset + by, 0), stack.length - 1);
      this.offset = to - base;
      if (stack.length) this.light(stack[to]);
      return;
    }
    if (!this.selected) return;
    const next =
      by < 0
        ? this.shapes.find((s) => s.id === this.selected.parent_id)
        : this.shapes.find((s) => s.parent_id === this.selected.id);
    if (next) this.select(next);
  }

  /** The shapes below a point: wholes first, then parts and subparts, the large before the small. */
  #stack(x, y) {
    if (!this.masks) return [];
    const rank = (shape) => Math.max(0, LEVELS.indexOf(shape.granularity));
    return this.shapes
      .filter(({ box_xyxy: b, path }) => x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3] && this.hits.isPointInPath(path, x, y, "evenodd"))
      .sort((a, b) => rank(a) - rank(b) || b.area_px - a.area_px);
  }

  /** Where stepping starts: the smallest whole. */
  #base(stack) {
    const wholes = stack.filter((s) => s.granularity === "whole").length;
    return Math.max(0, wholes - 1);
  }

  #hover(x, y) {
    const stack = this.#stack(x, y);
    const base = this.#base(stack);
    if (stack[base] !== this.root) {
      this.root = stack[base];
      this.offset = 0;
    }
    this.light(stack[Math.min(Math.max(base + this.offset, 0), stack.length - 1)] ?? null);
  }

  #place(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #pixel([px, py], clamp = false) {
    const x = (px - this.view.x) / this.view.k;
    const y = (py - this.view.y) / this.view.k;
    const { width, height } = this.size;
    return clamp ? [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)] : [x, y];
  }

  #inside([x, y]) {
    return x >= 0 && y >= 0 && x < this.size.width && y < this.size.height;
  }

  #listen() {
    const element = this.element;
    let start = null;
    let space = false;
    element.addEventListener("pointerdown", (event) => {
      if (event.button > 1) return;
      element.focus({ preventScroll: true });
      element.setPointerCapture(event.pointerId);
      start = { at: this.#place(event), view: this.view, pan: event.button === 1 || space, moved: false };
    });
    element.addEventListener("pointermove", (event) => {
      const at = this.#place(event);
      this.pointer = this.#pixel(at);
      if (!start) return this.#hover(...this.pointer);
      const [dx, dy] = [at[0] - start.at[0], at[1] - start.at[1]];
      start.moved ||= Math.hypot(dx, dy) > CLICK_PX;
      if (!start.moved) return undefined;
      this.light(null);
      if (start.pan) return this.#look({ k: start.view.k, x: start.view.x + dx, y: start.view.y + dy });
      const [a, b] = [this.#pixel(start.at, true), this.#pixel(at, true)];
      this.band = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
      return this.draw();
    });
    element.addEventListener("pointerup", (event) => {
      const begun = start;
      start = null;
      if (!begun || begun.pan) return;
      const band = this.band;
      this.band = null;
      if (band) {
        if (band[2] - band[0] >= 2 && band[3] - band[1] >= 2) this.#ask({ box_xyxy: band });
        this.draw();
      } else if (!begun.moved) this.#click(this.#pixel(this.#place(event)), event);
    });
    element.addEventListener("pointercancel", () => {
      start = null;
      this.band = null;
      this.draw();
    });
    element.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.light(null);
    });
    let stepped = 0;
    element.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.ctrlKey || event.metaKey) return this.zoom(Math.exp(-event.deltaY / 200), this.#place(event));
        // a trackpad sends dozens of small steps for one movement
        if (!event.deltaY || event.timeStamp - stepped < WHEEL_STEP_MS) return undefined;
        stepped = event.timeStamp;
        return this.step(event.deltaY > 0 ? 1 : -1);
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        space = true;
        event.preventDefault();
      }
    });
    element.addEventListener("keyup", (event) => {
      if (event.key === " ") space = false;
    });
  }

  #click(pixel, event) {
    if (!this.#inside(pixel)) return;
    const adds = event.shiftKey || event.altKey;
    if (!adds && this.tool === "select" && this.hovered) {
      this.select(this.hovered);
      return;
    }
    if (!adds && this.tool === "box") return;
    const before = adds && this.prompt?.points ? this.prompt : { points: [], foreground: [] };
    this.#ask({ points: [...before.points, pixel], foreground: [...before.foreground, !event.altKey] });
  }

  #ask(prompt) {
    this.prompt = prompt;
    this.candidate = null;
    this.on.prompt(prompt);
    this.draw();
  }

  /** Show one of SAM's answers to the prompt; null for none, `prompt` null lets go of it altogether. */
  setCandidate(candidate, prompt = this.prompt) {
    this.prompt = prompt;
    this.candidate = candidate && { ...candidate, path: polygonPath(candidate.polygons) };
    this.draw();
  }

  /** Stop watching. */
  dispose() {
    this.resize.disconnect();
    cancelAnimationFrame(this.drawing);
  }
}
