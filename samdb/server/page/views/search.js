// Search: segments like the examples; thumbs refine it, the address holds all of it.

import { info, post } from "../js/api.js";
import { count, fill, h, typing } from "../js/dom.js";
import { exampleChip } from "../js/examplechip.js";
import { Facets, filterChips, side } from "../js/facets.js";
import { Grid } from "../js/grid.js";
import { hitCard } from "../js/hitcard.js";
import { exampleText, go, href, textExample } from "../js/route.js";
import { Selection, labelDialog, selectionBar } from "../js/selection.js";
import { announce, emptyState, toast, working } from "../js/talk.js";

const PAGE = 48;
const MAX_EXAMPLES = 16;

/** The route of a search for these examples. */
export function searchFor(examples, where = []) {
  return { view: "search", pos: examples.map(exampleText), where };
}

/** The same for stored segments; of many, some spread evenly stand for all. */
export function searchSegments(segments) {
  const step = Math.max(1, segments.length / MAX_EXAMPLES);
  const some = segments.length <= MAX_EXAMPLES ? segments : Array.from({ length: MAX_EXAMPLES }, (_, i) => segments[Math.floor(i * step)]);
  if (some.length < segments.length) toast(`Searching with ${MAX_EXAMPLES} of the ${segments.length}: more would blur the search`);
  go(searchFor(some.map((s) => ({ segment_id: s.segment_id }))));
}

/** Show the view in `main`. */
export function show(main, route, told) {
  const view = new SearchView(main, route, told);
  view.refresh();
  return view;
}

class SearchView {
  constructor(main, route, told) {
    this.route = route;
    this.told = told;
    const choose = (where) => this.to({ where });
    this.positives = h("ul.examples", { "aria-label": "Positive examples" });
    this.negatives = h("ul.examples", { "aria-label": "Negative examples" });
    this.noPositives = h("p.quiet.small", null, "No example yet.");
    this.noNegatives = h("p.quiet.small", null, "Thumb a result down (n) to push such segments back.");
    this.note = h("div");
    this.took = h("p.count", { id: "search-took" });
    this.chips = h("div.chip-line");
    this.facets = new Facets(told, { onchange: choose });
    this.perImage = this.#perImage();
    this.recipe = this.#recipe();
    this.grid = new Grid({
      label: "Results",
      load: (offset, signal) => this.load(offset, signal),
      card: (hit, i) => this.card(hit, i),
      empty: () => this.nothing(),
      onload: (_, all) => announce(`${count(all.length, "result")} loaded`),
    });
    this.selection = new Selection(() => this.mark());
    this.bar = selectionBar(this.selection, { onsearch: searchSegments });
    this.panel = side(
      "Examples and filters",
      h("h2", null, "Like these"),
      this.positives,
      this.noPositives,
      h("h2", null, "Not like these"),
      this.negatives,
      this.noNegatives,
      h("div.facet-row", null, h("label", { for: "per-image" }, "Per image"), this.perImage),
      h("div.facet-row", null, h("label", { for: "recipe" }, "Compare by"), this.recipe),
      h("h2", null, "Filters"),
      this.facets.element,
    );
    this.title = h("h1", null, "Results");
    this.copy = h("button", { type: "button", id: "copy-link", onclick: () => this.copyLink() }, "Copy link");
    this.content = h("div.content", null, h("div.bar", null, this.title, this.took, this.chips, h("span.spacer"), this.grid.sizes, this.copy), this.note, this.grid.element, this.bar.element);
    fill(main, h("div.split", null, this.panel, this.content));
    this.onkey = (event) => this.key(event);
    this.onlabel = (event) => this.relabel(event.detail.classes);
    document.addEventListener("keydown", this.onkey);
    window.addEventListener("samdb:labelled", this.onlabel);
  }

  /** Another search in the same view: only what differs is made anew. */
  update(route) {
    this.route = route;
    this.refresh();
    return true;
  }

  refresh() {
    const { pos, neg, where } = this.route;
    fill(this.positives, pos.map((text) => exampleChip(text, "positive", () => this.to({ pos: pos.filter((t) => t !== text) }))));
    fill(this.negatives, neg.map((text) => exampleChip(text, "negative", () => this.to({ neg: neg.filter((t) => t !== text) }))));
    this.noPositives.hidden = pos.length > 0;
    this.noNegatives.hidden = neg.length > 0;
    for (const element of [this.title, this.grid.sizes, this.copy]) element.hidden = !pos.length;
    this.perImage.value = this.route.per_image ?? "";
    this.recipe.value = this.route.recipe ?? "";
    fill(this.chips, filterChips(where, (next) => this.to({ where: next })));
    const uploaded = [...pos, ...neg].some((text) => text.startsWith("u:"));
    fill(this.note, uploaded && h("p.hint", null, "This search has an uploaded image among its examples. The server keeps it for a while only, so the link will not work for others."));
    this.uploaded = uploaded;
    if (this.selection.size) this.selection.clear();
    if (!pos.length) {
      this.took.textContent = "";
      this.grid.clear(this.howTo());
      this.facets.update(where);
      return;
    }
    // results first: people look at them while the counting goes on
    this.grid.restart().finally(() => this.facets.update(this.route.where));
  }

  /** Go to this search with something changed. */
  to(change) {
    go({ ...this.route, ...change });
  }

  async load(offset, signal) {
    const { pos, neg, where, per_image: perImage, recipe } = this.route;
    const examples = (texts) => texts.map(textExample).filter(Boolean);
    const needsSam = [...pos, ...neg].some((text) => !text.startsWith("s:"));
    const told = needsSam && offset === null && (await info());
    const work = told && working(told.sam_loaded ? "SAM looks at the example …" : "Loading SAM the first time, then it looks at the example …");
    if (work) this.note.append(work.element);
    try {
      const answer = await post(
        "/api/search",
        {
          positives: examples(pos),
          negatives: examples(neg),
          where,
          recipe: recipe || null,
          per_image: perImage ? Number(perImage) : null,
          limit: PAGE,
          offset: offset ?? 0,
        },
        signal,
      );
      if (offset === null) this.took.textContent = `${Math.max(1, Math.round(answer.took_ms))} ms${answer.sam_ms ? `, SAM ${Math.round(answer.sam_ms)} ms` : ""}`;
      if (told && !told.sam_loaded) info({ fresh: true });
      return { items: answer.items, next: answer.next_offset };
    } finally {
      work?.stop?.();
    }
  }

  card(hit, index) {
    const id = hit.segment.segment_id;
    return hitCard(hit, {
      pick: (event) => this.pick(event, index),
      open: () => this.open(hit),
      more: () => this.vote(id, "pos"),
      less: () => this.vote(id, "neg"),
      search: () => go(searchFor([{ segment_id: id }], this.route.where)),
    });
  }

  pick(event, index) {
    const segments = this.segments();
    if (event.shiftKey) this.selection.range(segments, index);
    else this.selection.toggle(segments, index);
  }

  /** The loaded results as segments, each with its score. */
  segments() {
    return this.grid.items.map((hit) => Object.assign(hit.segment, { score: hit.score }));
  }

  open(hit) {
    go({ view: "image", id: hit.segment.image_key, seg: hit.segment.segment_id });
  }

  /** A thumb: the segment becomes an example of that side (and leaves the other), and the search runs again. */
  vote(id, way) {
    const text = `s:${id}`;
    const other = way === "pos" ? "neg" : "pos";
    this.to({ [way]: [...this.route[way].filter((t) => t !== text), text], [other]: this.route[other].filter((t) => t !== text) });
    announce(way === "pos" ? "Added to the positive examples" : "Added to the negative examples");
  }

  mark() {
    for (const card of this.grid.list.children) {
      const on = this.selection.has(card.dataset.id);
      card.classList.toggle("picked", on);
      card.querySelector(".pick").setAttribute("aria-pressed", String(on));
    }
    this.content.classList.toggle("selecting", this.selection.size > 0);
    this.bar.update();
  }

  relabel(classes) {
    for (const [i, hit] of this.grid.items.entries()) {
      if (!classes.has(hit.segment.segment_id)) continue;
      hit.segment.class_name = classes.get(hit.segment.segment_id);
      this.grid.list.children[i]?.showClass();
    }
    this.facets.update(this.route.where, { fresh: true });
  }

  key(event) {
    if (typing(event) || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "a") {
      event.preventDefault();
      this.selection.set(this.segments());
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = this.grid.focused();
    if (event.key === "Escape" && this.selection.size) return this.selection.clear();
    if (event.key === "l") return event.preventDefault(), labelDialog(this.selection.size ? [...this.selection.segments.values()] : here ? [here.item.segment] : []);
    if (!here) return;
    const id = here.item.segment.segment_id;
    if (event.key === "y") this.vote(id, "pos");
    else if (event.key === "n") this.vote(id, "neg");
    else if (event.key === "s") go(searchFor([{ segment_id: id }], this.route.where));
    else if (event.key === "Enter" && event.target.matches(".pick")) event.preventDefault(), this.open(here.item);
    else if (event.shiftKey && event.key.startsWith("Arrow")) this.selection.range(this.segments(), here.index);
  }

  nothing() {
    const { where, per_image: perImage } = this.route;
    const action = where.length ? { label: "Remove the filters", run: () => this.to({ where: [] }) } : null;
    return emptyState("Nothing found", where.length ? "No segment passes these filters." : perImage ? "No other image has such a segment." : "The store has no other segment to compare with.", { action });
  }

  howTo() {
    return h(
      "div.empty",
      null,
      h("h1", null, "Search by example"),
      h("p", null, "Open an image and click a segment, drag a box around something, or drop a picture of your own here. Samdb then finds the segments that look like it."),
      h("div.row", null, h("a.button.primary", { href: "#/browse" }, "Browse images"), h("button", { type: "button", onclick: () => document.getElementById("file").click() }, "Upload image")),
    );
  }

  async copyLink() {
    const link = `${location.origin}/${href(this.route)}`;
    const words = this.uploaded ? "Copied, but it works only as long as the server keeps the uploaded image" : "Copied: the link gives this search again";
    try {
      await navigator.clipboard.writeText(link);
      toast(words);
    } catch {
      toast("The browser does not let this page copy: the link is in the address bar", { bad: true });
    }
  }

  #perImage() {
    const select = h("select", { id: "per-image" }, [["any number", ""], ["1", "1"], ["2", "2"], ["3", "3"], ["5", "5"]].map(([words, value]) => h("option", { value }, words)));
    select.addEventListener("change", () => this.to({ per_image: select.value }));
    return select;
  }

  #recipe() {
    const { recipes = [], default_recipe: usual } = this.told;
    const select = h("select", { id: "recipe" }, h("option", { value: "" }, `${usual ?? "default"}`), recipes.filter((r) => r !== usual).map((r) => h("option", { value: r }, r)));
    select.addEventListener("change", () => this.to({ recipe: select.value }));
    return select;
  }

  dispose() {
    document.removeEventListener("keydown", this.onkey);
    window.removeEventListener("samdb:labelled", this.onlabel);
    this.facets.dispose();
    this.grid.dispose();
  }
}
