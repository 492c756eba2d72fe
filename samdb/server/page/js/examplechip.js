// An example of a search as a small picture with a way out.

import { cropUrl, get, imageUrl, uploadUrl } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { polygonPath } from "./geometry.js";
import { href, textExample } from "./route.js";
import { knownUpload } from "./uploads.js";

const SIDE = 72;
/** Masks that SAM gave in this visit, by the example's text: [[x, y, ...]]; their chips show the outline. */
export const outlines = new Map();

/** A chip (<li>) for an example's text; `kind` is "positive" or "negative". */
export function exampleChip(text, kind, onremove) {
  const example = textExample(text);
  const remove = h("button.bare.remove", { type: "button", "aria-label": `Remove this ${kind} example`, onclick: onremove }, icon("close"));
  const sign = h("span.sign", { "aria-hidden": "true" }, icon(kind === "positive" ? "up" : "down"));
  return h(`li.example.${kind}`, null, example ? picture(example, text) : h("span", null, "unreadable"), sign, remove);
}

function picture(example, text) {
  if (example.segment_id) {
    const to = href({ view: "image", id: "of", seg: example.segment_id });
    return h("a", { href: to, title: "Open its image" }, h("img", { src: cropUrl(example.segment_id, 144), alt: "Stored segment", width: SIDE, height: SIDE }));
  }
  const uploaded = example.upload_id !== undefined;
  const to = href({ view: uploaded ? "upload" : "image", id: uploaded ? example.upload_id : example.image_key });
  const canvas = h("canvas", { width: 2 * SIDE, height: 2 * SIDE, role: "img", "aria-label": uploaded ? "Part of an uploaded image" : "Part of an image" });
  drawPart(canvas, example, outlines.get(text)).catch(() => canvas.setAttribute("aria-label", "An image that is not there any more"));
  return h("a", { href: to, title: "Open its image" }, canvas);
}

/** How wide the upright image is, whose pixels boxes and points are in; null where nobody knows. */
async function widthOf(example) {
  if (example.mask) return example.mask.size[1];
  if (example.upload_id) return knownUpload(example.upload_id)?.width ?? null;
  return (await get(`/api/images/${encodeURIComponent(example.image_key)}`)).width;
}

/** Draw the part of an image that an example means, as the server's crops do: context around, an outline. */
async function drawPart(canvas, example, polygons) {
  const width = await widthOf(example);
  const image = new Image();
  image.src = example.upload_id ? uploadUrl(example.upload_id, 1600) : imageUrl(example.image_key, 1600);
  await image.decode();
  const scale = width ? image.naturalWidth / width : 1;
  const box = extent(example, polygons, image, scale);
  const side = 1.6 * Math.max(box[2] - box[0], box[3] - box[1], 24);
  const [x, y] = [(box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2];
  const g = canvas.getContext("2d");
  const k = canvas.width / side;
  g.setTransform(k, 0, 0, k, -x * k, -y * k);
  g.drawImage(image, 0, 0, image.naturalWidth / scale, image.naturalHeight / scale);
  g.strokeStyle = "#fff";
  g.lineWidth = 3 / k;
  if (polygons) g.stroke(polygonPath(polygons));
  else if (example.box_xyxy) g.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  else if (example.point_xy) {
    g.beginPath();
    g.arc(...example.point_xy, 7 / k, 0, 2 * Math.PI);
    g.stroke();
  }
}

function extent(example, polygons, image, scale) {
  if (example.box_xyxy) return example.box_xyxy;
  if (polygons?.length) {
    const xs = polygons.flatMap((p) => p.filter((_, i) => i % 2 === 0));
    const ys = polygons.flatMap((p) => p.filter((_, i) => i % 2 === 1));
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }
  if (example.point_xy) {
    const [x, y] = example.point_xy;
    return [x - 40, y - 40, x + 40, y + 40];
  }
  return [0, 0, image.naturalWidth / scale, image.naturalHeight / scale];
}
