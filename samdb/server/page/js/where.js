// Filters in the command line's own words: class_name=car,truck  area_px>=2000  flags!=background

const PATTERN = /^\s*([A-Za-z_][\w.]*)\s*(!=|>=|<=|=|>|<)\s*(.+?)\s*$/;

const NAMES = {
  class_name: "Class",
  granularity: "Granularity",
  timeofday: "Time of day",
  label_source: "Label source",
  area_px: "Area",
  image_id: "Image",
  prompt_kind: "Prompt",
  source_category: "Source category",
  n_segments: "Segments",
};

/** What a payload key is called on the page. */
export function keyName(key) {
  return NAMES[key] ?? (key.charAt(0).toUpperCase() + key.slice(1)).replaceAll("_", " ");
}

/** A filter read into {key, op, values}; null for one that cannot be read. */
export function readFilter(text) {
  const match = PATTERN.exec(text);
  if (!match) return null;
  const [, key, op, raw] = match;
  const values = op === "=" || op === "!=" ? raw.split(",").map((v) => v.trim()).filter(Boolean) : [raw];
  return values.length ? { key, op, values } : null;
}

/** The values that a key must have one of. */
export function chosen(where, key) {
  return where.map(readFilter).filter((f) => f?.key === key && f.op === "=").flatMap((f) => f.values);
}

/** The filters with this value of a key switched on or off. */
export function toggled(where, key, value) {
  const now = chosen(where, key);
  const next = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
  const others = without(where, key);
  return next.length ? [...others, `${key}=${next.join(",")}`] : others;
}

/** The filters without the "is one of" of a key. */
export function without(where, key) {
  return where.filter((text) => {
    const filter = readFilter(text);
    return !(filter?.key === key && filter.op === "=");
  });
}

/** A filter as a person would say it. */
export function filterWords(text) {
  const filter = readFilter(text);
  if (!filter) return text;
  const op = { "=": "", "!=": "not ", ">=": "≥ ", "<=": "≤ ", ">": "> ", "<": "< " }[filter.op];
  const unit = filter.key === "area_px" ? " px²" : "";
  return `${keyName(filter.key)}: ${op}${filter.values.join(" or ")}${unit}`;
}
