// What is shown is in the address: #/view/id?where=..&pos=..  A link, a reload and "back" give the same again.

const LISTS = ["where", "pos", "neg"];
const VIEWS = ["browse", "image", "upload", "search", "bank", "map"];

/** The route that a hash names; an unknown one is Browse. */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [view, id = ""] = path.split("/");
  const params = new URLSearchParams(query);
  const route = { view: VIEWS.includes(view) ? view : "browse", id: decode(id) };
  for (const name of LISTS) route[name] = params.getAll(name);
  for (const [name, value] of params) if (!LISTS.includes(name)) route[name] = value;
  return route;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The hash of a route; empty parts are left out. */
export function href(route) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(route)) {
    if (name === "view" || name === "id") continue;
    for (const one of Array.isArray(value) ? value : [value]) if (one !== "" && one != null) params.append(name, one);
  }
  const query = params.toString().replace(/%3A/g, ":").replace(/%2C/g, ",");
  return `#/${route.view}${route.id ? `/${encodeURIComponent(route.id)}` : ""}${query ? `?${query}` : ""}`;
}

/** Go there: a new step of the history, or (`replace`) the same step. */
export function go(route, { replace = false } = {}) {
  const there = href(route);
  if (there === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", there);
  if (!replace) window.dispatchEvent(new Event("samdb:route"));
}

/** An example of a search as text, and back. `{segment_id}` or an image with a box, a point or a mask. */
export function exampleText(example) {
  if (example.segment_id) return `s:${example.segment_id}`;
  const image = example.image_key ? `i:${example.image_key}` : `u:${example.upload_id}`;
  if (example.box_xyxy) return `${image}:b:${example.box_xyxy.map((v) => Math.round(v * 10) / 10).join(",")}`;
  if (example.point_xy) return `${image}:p:${example.point_xy.map((v) => Math.round(v * 10) / 10).join(",")}`;
  return `${image}:m:${example.mask.size.join(",")}:${example.mask.counts}`;
}

/** The example that a text stands for; null for one that cannot be read. */
export function textExample(text) {
  const [kind, id, shape, ...rest] = text.split(":");
  if (kind === "s" && id) return { segment_id: id };
  if ((kind !== "i" && kind !== "u") || !id || !rest.length) return null;
  const image = kind === "i" ? { image_key: id } : { upload_id: id };
  const numbers = rest[0].split(",").map(Number);
  if (numbers.some((v) => !Number.isFinite(v))) return null;
  if (shape === "b" && numbers.length === 4) return { ...image, box_xyxy: numbers };
  if (shape === "p" && numbers.length === 2) return { ...image, point_xy: numbers };
  if (shape === "m" && numbers.length === 2) return { ...image, mask: { size: numbers, counts: rest.slice(1).join(":") } };
  return null;
}
