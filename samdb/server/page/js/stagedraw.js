// How a stage looks: masks in their class's colour, what is hovered lit, what is selected framed in white.

import { classCss } from "./color.js";

const INK = "#101216";

/** Draw all that lies on the picture. */
export function drawStage(stage) {
  const { canvas, view } = stage;
  const g = canvas.getContext("2d");
  const ratio = window.devicePixelRatio || 1;
  g.setTransform(1, 0, 0, 1, 0, 0);
  g.clearRect(0, 0, canvas.width, canvas.height);
  g.setTransform(view.k * ratio, 0, 0, view.k * ratio, view.x * ratio, view.y * ratio);
  g.lineJoin = "round";
  const px = 1 / view.k;
  const active = stage.hovered ?? stage.selected;
  if (stage.masks) {
    for (const shape of stage.shapes) {
      if (shape === stage.hovered || shape === stage.selected) continue;
      if (!stage.levels.has(shape.granularity)) continue;
      const named = shape.class_name != null;
      paint(g, shape, { fill: named ? 0.16 : 0.05, line: (named ? 1.4 : 0.8) * px, strength: named ? 0.9 : 0.5 });
    }
  }
  // the parts of what is looked at, thin, so that one sees where the wheel leads
  if (active && stage.masks) for (const shape of stage.shapes) if (shape.parent_id === active.id) dashed(g, shape, px);
  if (stage.selected) framed(g, stage.selected, px, 0.28);
  if (stage.hovered && stage.hovered !== stage.selected) lit(g, stage.hovered, px);
  if (stage.captions && stage.masks) captions(g, stage, px);
  if (stage.candidate) candidate(g, stage.candidate, px);
  if (stage.prompt) prompted(g, stage.prompt, px);
  if (stage.band) band(g, stage.band, px);
}

function paint(g, shape, { fill, line, strength }) {
  g.fillStyle = classCss(shape.class_name, fill);
  g.fill(shape.path, "evenodd");
  g.strokeStyle = classCss(shape.class_name, strength);
  g.lineWidth = line;
  g.stroke(shape.path);
}

function lit(g, shape, px) {
  g.fillStyle = classCss(shape.class_name, 0.42);
  g.fill(shape.path, "evenodd");
  twice(g, shape.path, INK, 4.5 * px, classCss(shape.class_name), 2.5 * px);
}

function framed(g, shape, px, fill) {
  g.fillStyle = classCss(shape.class_name, fill);
  g.fill(shape.path, "evenodd");
  twice(g, shape.path, INK, 5 * px, "#fff", 2.5 * px);
}

function dashed(g, shape, px) {
  g.setLineDash([4 * px, 3 * px]);
  twice(g, shape.path, "rgb(16 18 22 / 0.6)", 2.5 * px, "rgb(255 255 255 / 0.85)", 1.2 * px);
  g.setLineDash([]);
}

function candidate(g, shape, px) {
  g.fillStyle = "rgb(255 255 255 / 0.3)";
  g.fill(shape.path, "evenodd");
  twice(g, shape.path, INK, 5 * px, "#7db4ff", 2.5 * px);
}

function twice(g, path, outer, outerWidth, inner, innerWidth) {
  g.strokeStyle = outer;
  g.lineWidth = outerWidth;
  g.stroke(path);
  g.strokeStyle = inner;
  g.lineWidth = innerWidth;
  g.stroke(path);
}

function prompted(g, prompt, px) {
  if (prompt.box_xyxy) band(g, prompt.box_xyxy, px);
  for (const [i, [x, y]] of (prompt.points ?? []).entries()) {
    const yes = prompt.foreground[i];
    g.beginPath();
    g.arc(x, y, 6 * px, 0, 2 * Math.PI);
    g.fillStyle = yes ? "#2f7bf0" : "#e0455f";
    g.fill();
    g.strokeStyle = "#fff";
    g.lineWidth = 2 * px;
    g.stroke();
    g.beginPath();
    g.moveTo(x - 3 * px, y);
    g.lineTo(x + 3 * px, y);
    if (yes) {
      g.moveTo(x, y - 3 * px);
      g.lineTo(x, y + 3 * px);
    }
    g.stroke();
  }
}

function band(g, [x0, y0, x1, y1], px) {
  g.setLineDash([6 * px, 4 * px]);
  for (const [color, width] of [["rgb(16 18 22 / 0.7)", 3.5 * px], ["#fff", 1.5 * px]]) {
    g.strokeStyle = color;
    g.lineWidth = width;
    g.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  g.setLineDash([]);
}

/** Names beside the shapes, the one looked at first, then the large; none covers another. */
function captions(g, stage, px) {
  const active = [stage.hovered, stage.selected].filter(Boolean);
  const taken = [];
  for (const shape of new Set([...active, ...stage.shapes])) caption(g, stage, shape, px, taken);
}

function caption(g, stage, shape, px, taken) {
  if (shape.class_name == null) return;
  const text = shape.score == null ? shape.class_name : `${shape.class_name} ${shape.score.toFixed(2)}`;
  g.font = `600 ${12 * px}px system-ui, sans-serif`;
  const width = g.measureText(text).width + 8 * px;
  const [x, y] = [Math.max(Math.min(shape.box_xyxy[0], stage.size.width - width), 0), Math.max(shape.box_xyxy[1] - 17 * px, 0)];
  if (taken.some(([ox, oy, w]) => x < ox + w && ox < x + width && Math.abs(y - oy) < 17 * px)) return;
  taken.push([x, y, width]);
  g.fillStyle = classCss(shape.class_name);
  g.fillRect(x, y, width, 17 * px);
  g.fillStyle = INK;
  g.fillText(text, x + 4 * px, y + 12.5 * px);
}
