// Many segments selected at once, and the bar that says what can be done with them.

import { count, download, h } from "./dom.js";
import { icon } from "./icons.js";
import { label } from "./labels.js";
import { labelField } from "./labelfield.js";
import { announce, dialog, toast } from "./talk.js";

/** Segments that are selected, by id, in the order of selection. `onchange` is told of every change. */
export class Selection {
  constructor(onchange) {
    this.onchange = onchange;
    this.segments = new Map();
    this.anchor = null;
  }

  has(id) {
    return this.segments.has(id);
  }

  get size() {
    return this.segments.size;
  }

  /** Switch one on or off, and remember it as the start of a range. */
  toggle(segments, index) {
    const segment = segments[index];
    if (this.has(segment.segment_id)) this.segments.delete(segment.segment_id);
    else this.segments.set(segment.segment_id, segment);
    this.anchor = index;
    this.onchange(this);
  }

  /** Select all from the anchor to here. */
  range(segments, index) {
    const from = Math.min(this.anchor ?? index, index);
    const to = Math.max(this.anchor ?? index, index);
    for (const segment of segments.slice(from, to + 1)) this.segments.set(segment.segment_id, segment);
    this.anchor ??= index;
    this.onchange(this);
  }

  /** Select these, beside or instead of the others. */
  set(segments, { add = false } = {}) {
    if (!add) this.segments.clear();
    for (const segment of segments) this.segments.set(segment.segment_id, segment);
    this.onchange(this);
  }

  clear() {
    this.segments.clear();
    this.anchor = null;
    this.onchange(this);
  }
}

/** The bar: how many, label, export, search with these, let go. `actions` are more buttons. */
export function selectionBar(selection, { onsearch }) {
  const told = h("strong");
  const bar = h(
    "div.selection-bar",
    { role: "region", "aria-label": "Selection", hidden: true },
    told,
    h("button", { type: "button", onclick: () => labelDialog([...selection.segments.values()]) }, icon("tag"), "Label"),
    h("button", { type: "button", onclick: () => onsearch([...selection.segments.values()]) }, icon("search"), "Search with these"),
    h("button", { type: "button", title: "Ids and what is known of them, as JSON", onclick: () => exportJson(selection) }, icon("save"), "JSON"),
    h("button", { type: "button", title: "Ids and what is known of them, as CSV", onclick: () => exportCsv(selection) }, icon("save"), "CSV"),
    h("button.bare", { type: "button", "aria-label": "Clear the selection", onclick: () => selection.clear() }, icon("close")),
  );
  const update = () => {
    bar.hidden = !selection.size;
    const words = `${count(selection.size, "segment")} selected`;
    if (told.textContent !== words) {
      told.textContent = words;
      announce(words);
    }
  };
  return { element: bar, update };
}

/** Ask for the class of segments, and give it to them. */
export function labelDialog(segments) {
  if (!segments.length) {
    toast("Nothing is selected: click segments first");
    return;
  }
  const give = async (className) => {
    box.close();
    try {
      await label(new Map(segments.map((s) => [s.segment_id, s.class_name ?? null])), className);
    } catch (error) {
      toast(error.message, { bad: true, seconds: 10 });
    }
  };
  const field = labelField({ onchoose: give });
  const none = segments.some((s) => s.class_name != null) && h("button", { type: "button", onclick: () => give(null) }, "Take the class away");
  const box = dialog(`Label ${count(segments.length, "segment")}`, h("div.stack", null, field.element, h("div.row", null, field.button, none)));
  box.classList.add("label-dialog");
  field.focus();
}

const COLUMNS = ["segment_id", "image_key", "dataset", "split", "image_id", "class_name", "granularity", "area_px", "box_xyxy", "score"];

function exportJson(selection) {
  const rows = [...selection.segments.values()].map((s) => Object.fromEntries(COLUMNS.map((k) => [k, s[k] ?? null])));
  download("segments.json", "application/json", `${JSON.stringify(rows, null, 1)}\n`);
  toast(`Saved ${fileWords(rows.length)} to segments.json`);
}

function exportCsv(selection) {
  const rows = [...selection.segments.values()];
  const lines = [COLUMNS, ...rows.map((s) => COLUMNS.map((k) => s[k] ?? ""))].map((cells) => cells.map(cell).join(","));
  download("segments.csv", "text/csv", `${lines.join("\r\n")}\r\n`);
  toast(`Saved ${fileWords(rows.length)} to segments.csv`);
}

const fileWords = (n) => count(n, "segment");

// RFC 4180; a text that a spreadsheet would take for a formula is given as text
function cell(value) {
  let text = Array.isArray(value) ? value.join(" ") : String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

