// Map: segments where their embeddings lie, in two dimensions; what lies together looks alike.

import { cropUrl, get, isAbort } from "../js/api.js";
import { classCss, nthCss } from "../js/color.js";
import { count, fill, h, number, typing } from "../js/dom.js";
import { filterChips, side } from "../js/facets.js";
import { attributeWords, classTag } from "../js/hitcard.js";
import { icon } from "../js/icons.js";
import { go, href } from "../js/route.js";
import { Scatter } from "../js/scatter.js";
import { Selection, labelDialog, selectionBar } from "../js/selection.js";
import { announce, emptyState, errorState, working } from "../js/talk.js";
import { keyName } from "../js/where.js";
import { searchSegments } from "./search.js";

const LIMIT = 5000;
const SHOWN = 24;
const NONE = "(none)";

/** Show the view in `main`. */
export function show(main, route, told) {
  const view = new MapView(main, route, told);
  view.load();
  return view;
}

class MapView {
  constructor(main, route, told) {
    this.route = route;
    this.total = told.totals.segments;
    this.items = [];
    this.off = new Set();
    this.abort = new AbortController();
    this.scatter = new Scatter({
      hover: (index, at) => this.hover(index, at),
      pick: (index, add) => this.pick(index, add),
      lasso: (indices, add) => this.lasso(indices, add),
    });
    this.count = h("p.count", { id: "map-count" });
    this.chips = h("div.chip-line");
    this.by = h("select", { id: "color-by" });
    this.by.addEventListener("change", () => go({ ...this.route, color: this.by.value }));
    this.legend = h("ul.facet-values");
    this.only = h("select", { id: "map-level" }, [["all", ""], ["wholes", "whole"], ["parts", "part"], ["subparts", "subpart"]].map(([words, value]) => h("option", { value }, words)));
    this.only.addEventListener("change", () => {
      const others = this.route.where.filter((w) => !w.startsWith("granularity="));
      go({ ...this.route, where: this.only.value ? [...others, `granularity=${this.only.value}`] : others });
    });
    this.picked = h("div.picked-crops");
    this.tip = h("div.tip", { hidden: true });
    this.cover = h("div.scatter-cover");
    this.selection = new Selection(() => this.mark());
    this.bar = selectionBar(this.selection, { onsearch: searchSegments });
    this.tools = [["move", "Move", "hand"], ["lasso", "Lasso (a, or Shift and drag)", "lasso"]].map(([name, words, sign]) =>
      h("button.bare", { type: "button", title: words, "aria-label": words, "aria-pressed": String(name === "move"), data: { tool: name }, onclick: () => this.tool(name) }, icon(sign)),
    );
    this.explained = h("p.quiet.small");
    fill(
      main,
      h(
        "div.split",
        null,
        side(
          "Colours",
          h("div.facet-row", null, h("label", { for: "color-by" }, "Colour by"), this.by),
          h("div.facet-row", null, h("label", { for: "map-level" }, "Show"), this.only),
          this.legend,
          this.explained,
          this.picked,
        ),
        h(
          "div.content",
          null,
          h("div.bar", null, h("h1", null, "Map"), this.count, this.chips, h("span.spacer"), h("div.tools", { role: "group", "aria-label": "Tools" }, this.tools, h("span.rule"), h("button.bare", { type: "button", title: "Fit (0)", "aria-label": "Fit the map in", onclick: () => this.scatter.fit() }, icon("fit")))),
          h("div.scatter-place", null, this.scatter.element, this.cover, this.tip),
          this.bar.element,
        ),
      ),
    );
    this.onkey = (event) => this.key(event);
    this.onlabel = (event) => this.relabel(event.detail.classes);
    this.ontheme = () => this.scatter.draw();
    document.addEventListener("keydown", this.onkey);
    window.addEventListener("samdb:labelled", this.onlabel);
    window.addEventListener("samdb:theme", this.ontheme);
  }

  update(route) {
    const again = JSON.stringify(route.where) !== JSON.stringify(this.route.where) || route.recipe !== this.route.recipe;
    this.route = route;
    if (again) this.load();
    else this.colour();
    return true;
  }

  async load() {
    this.abort.abort();
    this.abort = new AbortController();
    const { where, recipe } = this.route;
    fill(this.chips, filterChips(where, (next) => go({ ...this.route, where: next })));
    this.only.value = where.find((w) => w.startsWith("granularity="))?.split("=")[1] ?? "";
    const work = working("Laying out the map …");
    fill(this.cover, work.element);
    try {
      const answer = await get("/api/map", { where, recipe, limit: LIMIT }, this.abort.signal);
      this.items = answer.items;
      const share = answer.explained?.length ? ` They show ${Math.round(100 * answer.explained.reduce((a, b) => a + b, 0))} % of the variance.` : "";
      this.explained.textContent = `The two main directions (PCA) of ${answer.recipe}.${share}`;
      const sampled = this.items.length >= LIMIT;
      this.count.textContent = sampled ? `${number.format(this.items.length)} drawn by chance, of ${number.format(this.total)} segments` : count(this.items.length, "segment");
      this.off.clear();
      this.selection.clear();
      this.#keys();
      this.colour({ fresh: true });
      if (!this.items.length) fill(this.cover, emptyState("No segment fits", "Remove a filter to see more.", where.length ? { action: { label: "Remove the filters", run: () => go({ ...this.route, where: [] }) } } : {}));
      announce(this.count.textContent);
    } catch (error) {
      if (!isAbort(error)) fill(this.cover, errorState(error, () => this.load()));
    } finally {
      work.stop();
    }
  }

  /** What the points can be coloured by: what they know with few values. */
  #keys() {
    const never = new Set(["segment_id", "x", "y", "image_key", "image_id", "box_xyxy", "area_px", "attributes", "parent_id", "flags"]);
    const keys = new Set(["class_name", "granularity"]);
    for (const item of this.items.slice(0, 200)) {
      for (const [key, value] of Object.entries({ ...item.attributes, ...item })) if (!never.has(key) && typeof value !== "object") keys.add(key);
    }
    fill(this.by, [...keys].map((key) => h("option", { value: key }, keyName(key))));
  }

  #value(item) {
    const key = this.by.value;
    const value = item[key] ?? item.attributes?.[key];
    return value === null || value === undefined ? NONE : String(value);
  }

  /** Colour the points and write the legend. */
  colour({ fresh = false } = {}) {
    this.by.value = [...this.by.options].some((o) => o.value === this.route.color) ? this.route.color : "class_name";
    const counts = new Map();
    for (const item of this.items) counts.set(this.#value(item), (counts.get(this.#value(item)) ?? 0) + 1);
    const rows = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    const nth = new Map(rows.filter(([value]) => value !== NONE).map(([value], i) => [value, i]));
    const paint = (value) => {
      if (value === NONE) return classCss(null);
      return this.by.value === "class_name" ? classCss(value) : nthCss(nth.get(value));
    };
    const points = this.items.map((item) => ({ x: item.x, y: item.y, color: paint(this.#value(item)), hidden: this.off.has(this.#value(item)), above: this.#value(item) === NONE ? 0 : 1 }));
    if (fresh) this.scatter.set(points);
    else {
      this.scatter.points = points;
      this.scatter.draw();
    }
    fill(this.legend, rows.map(([value, n]) => this.#legendRow(value, n, paint(value))));
  }

  #legendRow(value, n, color) {
    const on = !this.off.has(value);
    const words = value === NONE && this.by.value === "class_name" ? "no class" : value;
    const toggle = () => {
      if (!this.off.delete(value)) this.off.add(value);
      this.colour();
      [...this.legend.querySelectorAll("button.facet-value")].find((b) => b.dataset.value === value)?.focus();
    };
    const all = () => this.lasso(this.items.flatMap((item, i) => (this.#value(item) === value ? [i] : [])), false);
    return h(
      "li.legend-row",
      null,
      h("button.facet-value", { type: "button", "aria-pressed": String(on), title: on ? "Hide" : "Show", data: { value }, onclick: toggle }, h("span.swatch", { style: { background: color } }), h("span.facet-name", null, words), h("span.facet-count", null, number.format(n))),
      h("button.bare", { type: "button", title: "Select all of these", "aria-label": `Select all ${words}`, onclick: all }, icon("check")),
    );
  }

  hover(index, at) {
    const item = this.items[index];
    this.tip.hidden = !item;
    this.scatter.element.style.cursor = item ? "pointer" : this.scatter.tool === "lasso" ? "crosshair" : "grab";
    if (!item) return;
    if (this.tipped !== item) {
      this.tipped = item;
      fill(this.tip, h("img", { src: cropUrl(item.segment_id), alt: "", width: 160, height: 160 }), h("div", null, classTag(item.class_name)), h("div.quiet.small", null, [item.granularity, ...attributeWords(item)].join(" · ")));
    }
    const { clientWidth: w, clientHeight: hh } = this.scatter.element;
    const left = at[0] + 200 > w ? at[0] - 192 : at[0] + 16;
    const top = Math.min(Math.max(at[1] - 90, 4), Math.max(hh - 226, 4));
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  pick(index, add) {
    if (index < 0) return add ? undefined : this.selection.clear();
    return this.lasso([index], add);
  }

  lasso(indices, add) {
    this.selection.set(indices.map((i) => this.items[i]), { add });
    if (!indices.length) announce("Nothing inside the lasso");
  }

  mark() {
    this.scatter.choose(this.items.flatMap((item, i) => (this.selection.has(item.segment_id) ? [i] : [])));
    this.bar.update();
    const some = [...this.selection.segments.values()];
    fill(
      this.picked,
      some.length > 0 && [
        h("h2", null, `Selected: ${number.format(some.length)}`),
        h("ul", null, some.slice(0, SHOWN).map((s) => h("li", null, h("a", { href: href({ view: "image", id: "of", seg: s.segment_id }), title: "Open its image" }, h("img", { src: cropUrl(s.segment_id, 96), alt: s.class_name ?? "no class", width: 48, height: 48, loading: "lazy" }))))),
        some.length > SHOWN && h("p.quiet.small", null, `and ${number.format(some.length - SHOWN)} more`),
      ],
    );
  }

  relabel(classes) {
    for (const item of this.items) if (classes.has(item.segment_id)) item.class_name = classes.get(item.segment_id);
    this.colour();
    this.mark();
  }

  tool(name) {
    this.scatter.tool = name;
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
    this.scatter.element.style.cursor = name === "lasso" ? "crosshair" : "grab";
  }

  key(event) {
    if (typing(event) || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const { scatter } = this;
    const some = () => [...this.selection.segments.values()];
    const acts = {
      "+": () => scatter.zoom(1.4),
      "=": () => scatter.zoom(1.4),
      "-": () => scatter.zoom(1 / 1.4),
      0: () => scatter.fit(),
      ArrowLeft: () => scatter.pan(60, 0),
      ArrowRight: () => scatter.pan(-60, 0),
      ArrowUp: () => scatter.pan(0, 60),
      ArrowDown: () => scatter.pan(0, -60),
      a: () => this.tool(scatter.tool === "lasso" ? "move" : "lasso"),
      l: () => labelDialog(some()),
      s: () => some().length && searchSegments(some()),
      Escape: () => this.selection.clear(),
    };
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
  }

  dispose() {
    this.abort.abort();
    document.removeEventListener("keydown", this.onkey);
    window.removeEventListener("samdb:labelled", this.onlabel);
    window.removeEventListener("samdb:theme", this.ontheme);
    this.scatter.dispose();
  }
}
