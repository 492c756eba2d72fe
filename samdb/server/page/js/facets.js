// The filters beside a grid: for every key its values with counts; chips of what is chosen; a field for the rest.

import { get, isAbort } from "./api.js";
import { classCss } from "./color.js";
import { fill, h, number } from "./dom.js";
import { icon } from "./icons.js";
import { errorState } from "./talk.js";
import { chosen, filterWords, keyName, readFilter, toggled, without } from "./where.js";

/** Keys worth a list, in this order; others of the store follow. Ids and bookkeeping have too many values. */
const FIRST = ["class_name", "granularity", "timeofday", "weather", "scene", "label_source", "dataset", "split"];
const NEVER = new Set(["image_id", "parent_id", "label_id", "model", "run", "area_px", "prompt_kind", "status", "segment_id", "track_id"]);
const OPEN = new Set(["class_name", "granularity", "timeofday"]);
const AREAS = [["any", ""], ["≥ 32² px", 1024], ["≥ 64² px", 4096], ["≥ 128² px", 16384]];
const SHOWN = 8;

/** `onchange(where)` hears the filters that were chosen; `update(where)` counts anew. */
export class Facets {
  constructor(told, { onchange }) {
    const known = told.keys ?? FIRST;
    // as many as the server counts at once
    this.keys = [...FIRST.filter((k) => known.includes(k)), ...known.filter((k) => !FIRST.includes(k) && !NEVER.has(k))].slice(0, 16);
    this.allKeys = known;
    this.onchange = onchange;
    this.where = [];
    this.all = new Set();
    this.sections = new Map(this.keys.map((key) => [key, this.#section(key)]));
    this.area = this.#area();
    this.element = h("div.facets", null, [...this.sections.values()].map((s) => s.element), this.area?.element, this.#free());
  }

  /** Show and count with these filters, unless they are counted (`fresh`: all the same). A key's own choice does not narrow its own counts. */
  async update(where, { fresh = false } = {}) {
    this.where = where;
    this.area?.show(where);
    const question = JSON.stringify(where);
    if (question === this.counted && !fresh) return;
    this.abort?.abort();
    this.abort = new AbortController();
    const { signal } = this.abort;
    const narrowed = this.keys.filter((key) => chosen(where, key).length);
    const free = this.keys.filter((key) => !narrowed.includes(key));
    const asks = [[free, where], ...narrowed.map((key) => [[key], without(where, key)])].filter(([keys]) => keys.length);
    try {
      const answers = await Promise.all(asks.map(([keys, filters]) => get("/api/facets", { key: keys, where: filters }, signal)));
      this.counted = question;
      for (const { counts } of answers) for (const [key, values] of Object.entries(counts)) this.sections.get(key)?.show(values);
    } catch (error) {
      if (!isAbort(error)) fill(this.sections.values().next().value?.list ?? this.element, errorState(error, () => this.update(this.where, { fresh: true })));
    }
  }

  #section(key) {
    const list = h("ul.facet-values");
    const more = h("button.link", { type: "button", hidden: true, "aria-expanded": "false" });
    const element = h("details.facet", { open: OPEN.has(key) || chosen(this.where, key).length > 0, data: { key } }, h("summary", null, keyName(key)), list, more);
    let counts = {};
    const show = (values = counts) => {
      counts = values;
      const on = chosen(this.where, key);
      const rows = Object.entries(values);
      for (const value of on) if (!(value in values)) rows.push([value, 0]);
      element.hidden = rows.length < 1;
      if (on.length) element.open = true;
      const top = Math.max(1, ...rows.map(([, n]) => n));
      const shown = this.all.has(key) ? rows : rows.filter(([value], i) => i < SHOWN || on.includes(value));
      const focused = list.contains(document.activeElement) ? document.activeElement.dataset.value : null;
      fill(list, shown.map(([value, n]) => this.#value(key, value, n, top, on.includes(value))));
      if (focused !== null) [...list.querySelectorAll("button")].find((b) => b.dataset.value === focused)?.focus();
      more.hidden = rows.length <= SHOWN;
      more.textContent = this.all.has(key) ? "Show fewer" : `Show all ${rows.length}`;
      more.setAttribute("aria-expanded", String(this.all.has(key)));
    };
    more.addEventListener("click", () => {
      if (!this.all.delete(key)) this.all.add(key);
      show();
    });
    return { element, list, show };
  }

  #value(key, value, n, top, on) {
    const swatch = key === "class_name" && h("span.swatch", { style: { background: classCss(value) } });
    return h(
      "li",
      null,
      h(
        "button.facet-value",
        { type: "button", "aria-pressed": String(on), data: { value }, onclick: () => this.onchange(toggled(this.where, key, value)) },
        h("span.facet-bar", { style: { width: `${(100 * n) / top}%` }, "aria-hidden": "true" }),
        swatch,
        h("span.facet-name", null, value),
        h("span.facet-count", null, number.format(n)),
      ),
    );
  }

  #area() {
    if (!this.allKeys.includes("area_px")) return null;
    const select = h("select", { id: "filter-area" }, AREAS.map(([words, value]) => h("option", { value }, words)));
    select.addEventListener("change", () => {
      const others = this.where.filter((text) => !(readFilter(text)?.key === "area_px" && readFilter(text).op === ">="));
      this.onchange(select.value ? [...others, `area_px>=${select.value}`] : others);
    });
    const show = (where) => {
      const now = where.map(readFilter).find((f) => f?.key === "area_px" && f.op === ">=")?.values[0] ?? "";
      if (now && ![...select.options].some((o) => o.value === now)) select.append(h("option", { value: now }, `≥ ${now} px²`));
      select.value = now;
    };
    return { element: h("div.facet-row", null, h("label", { for: "filter-area" }, "Area"), select), show };
  }

  #free() {
    const input = h("input", { type: "text", id: "filter-free", placeholder: "key=value, key>=number", list: "filter-keys", autocomplete: "off", spellcheck: "false" });
    const problem = h("p.bad-text", { role: "alert" });
    const form = h(
      "form.facet-free",
      null,
      h("label", { for: "filter-free" }, "Any other filter"),
      h("div.row", null, input, h("button", { type: "submit", "aria-label": "Add the filter" }, icon("filter"))),
      h("datalist", { id: "filter-keys" }, this.allKeys.map((key) => h("option", { value: `${key}=` }))),
      problem,
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = input.value.trim();
      problem.textContent = "";
      if (!text) return;
      if (!readFilter(text)) {
        problem.textContent = "Write key=value, key=a,b, key!=value or key>=number";
        return;
      }
      input.value = "";
      if (!this.where.includes(text)) this.onchange([...this.where, text]);
    });
    return form;
  }

  dispose() {
    this.abort?.abort();
  }
}

/** The filters as chips, each with a way out. */
export function filterChips(where, onchange) {
  if (!where.length) return null;
  const chips = where.map((text) =>
    h("li", null, h("button.chip", { type: "button", "aria-label": `Remove the filter ${filterWords(text)}`, onclick: () => onchange(where.filter((w) => w !== text)) }, filterWords(text), icon("close"))),
  );
  const clear = where.length > 1 && h("li", null, h("button.link", { type: "button", onclick: () => onchange([]) }, "Clear all"));
  return h("ul.chips", { "aria-label": "Filters" }, chips, clear);
}

/** The side of a view that folds away on a narrow screen. */
export function side(label, ...children) {
  const body = h("div.side-body", null, children);
  const button = h("button.side-toggle", { type: "button", "aria-expanded": "false" }, icon("filter"), label);
  const element = h("section.side", { "aria-label": label }, button, body);
  button.addEventListener("click", () => {
    const open = element.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
  });
  return element;
}
