// One image, stored or uploaded: its segments, SAM at a box or a point, the bank's opinion.

import { get, imageUrl, info, isAbort, post, uploadUrl } from "../js/api.js";
import { count, fill, h, typing } from "../js/dom.js";
import { outlines } from "../js/examplechip.js";
import { attributeWords } from "../js/hitcard.js";
import { icon } from "../js/icons.js";
import { exampleText, go, href } from "../js/route.js";
import { labelDialog } from "../js/selection.js";
import { Stage } from "../js/stage.js";
import { announce, emptyState, errorState, working } from "../js/talk.js";
import { knownUpload } from "../js/uploads.js";
import { lastList } from "./browse.js";
import { answerCard, segmentCard, segmentList } from "./imagepanel.js";
import { Asker } from "./imagesam.js";
import { searchFor } from "./search.js";

const TOOLS = [["select", "Select (v)", "pointer"], ["box", "Box (b)", "box"], ["point", "Point (p)", "dot"]];

/** Show the view in `main`. */
export function show(main, route) {
  const view = new ImageView(main, route);
  view.load();
  return view;
}

class ImageView {
  constructor(main, route) {
    this.main = main;
    this.route = route;
    this.uploaded = route.view === "upload";
    this.abort = new AbortController();
    this.stage = new Stage({
      hover: (shape) => this.hovered(shape),
      select: (shape) => this.selected(shape),
      prompt: (prompt) => this.ask(prompt),
    });
    this.stored = [];
    this.answers = null;
    this.title = h("h1.image-title", null, this.uploaded ? "Uploaded image" : "Image");
    this.told = h("p.quiet.small.one-line");
    this.status = h("div");
    this.focusPlace = h("div", { id: "focus" });
    this.sam = new Asker({ stage: this.stage, status: this.status, place: this.focusPlace, search: () => this.search(), clear: () => this.clear() });
    this.listPlace = h("div.list-place");
    this.tools = TOOLS.map(([name, words, sign]) =>
      h("button.bare", { type: "button", title: words, "aria-label": words, "aria-pressed": String(name === "select"), data: { tool: name }, onclick: () => this.tool(name) }, icon(sign)),
    );
    this.eye = h("button.bare", { type: "button", title: "Masks (m)", "aria-label": "Show masks", "aria-pressed": "true", onclick: () => this.toggleMasks() }, icon("eye"));
    this.classifyButton = h("button", { type: "button", title: "What the bank says of every segment (c)", onclick: () => this.classify() }, icon("spark"), "Classify");
    fill(
      main,
      h(
        "div.split.image-split",
        null,
        h(
          "div.content",
          null,
          h(
            "div.bar",
            null,
            this.#neighbours(),
            h("div.titles", null, this.title, this.told),
            h("span.spacer"),
            h("div.tools", { role: "group", "aria-label": "Tools" }, this.tools, h("span.rule"), this.eye, h("button.bare", { type: "button", title: "Fit (0)", "aria-label": "Fit the image in", onclick: () => this.stage.fit() }, icon("fit"))),
            this.classifyButton,
          ),
          this.stage.element,
          h("p.stage-help.quiet.small", null, this.uploaded ? "Click a point or drag a box: SAM cuts out what is there." : "Click selects a segment, the wheel steps to its parts, a drag asks SAM for what is in the box."),
        ),
        h("section.panel", { "aria-label": "Segments" }, this.status, this.focusPlace, this.listPlace),
      ),
    );
    this.onkey = (event) => this.key(event);
    this.onlabel = (event) => this.relabel(event.detail.classes);
    document.addEventListener("keydown", this.onkey);
    window.addEventListener("samdb:labelled", this.onlabel);
  }

  update(route) {
    const before = this.route;
    this.route = route;
    if (route.seg && route.seg !== before.seg) this.#selectStored(route.seg, false);
    return true;
  }

  async load() {
    try {
      if (this.uploaded) await this.#loadUpload();
      else await this.#loadStored();
    } catch (error) {
      if (isAbort(error)) return;
      if (error.status === 404) fill(this.main, this.#missing());
      else fill(this.main, errorState(error, () => show(this.main, this.route)));
    }
  }

  async #loadUpload() {
    const known = knownUpload(this.route.id);
    const size = known ?? (await sizeOf(uploadUrl(this.route.id)));
    this.example = { upload_id: this.route.id };
    this.title.textContent = known?.name ?? "Uploaded image";
    const minutes = known?.expires_in_s ? Math.round(known.expires_in_s / 60) : null;
    this.told.textContent = `${size.width} × ${size.height} px · not part of the store; the server keeps it ${minutes ? `${minutes} minutes` : "for a while"}`;
    this.stage.setImage(uploadUrl(this.route.id, 1600), size);
    this.#list();
  }

  async #loadStored() {
    const { signal } = this.abort;
    if (this.route.id === "of") {
      const segment = await get(`/api/segments/${encodeURIComponent(this.route.seg)}`, {}, signal);
      go({ ...this.route, id: segment.image_key }, { replace: true });
      this.route = { ...this.route, id: segment.image_key };
    }
    const key = encodeURIComponent(this.route.id);
    const segments = get(`/api/images/${key}/segments`, { format: "polygons" }, signal);
    segments.catch(() => {}); // when the image fails, so does this: one message is enough
    const image = await get(`/api/images/${key}`, {}, signal);
    this.example = { image_key: image.image_key };
    this.title.textContent = image.image_id.split("/").pop();
    this.title.title = image.image_id;
    const words = [`${image.width} × ${image.height} px`, `${image.dataset} ${image.split}`.trim(), ...attributeWords(image)];
    this.told.textContent = words.join(" · ");
    this.stage.setImage(imageUrl(image.image_key, 1600), image);
    const { items } = await segments;
    this.stored = items.map((s) => ({ ...s, id: s.segment_id }));
    this.stage.setShapes(this.stored);
    this.#list();
    if (this.route.seg) this.#selectStored(this.route.seg, false);
    announce(`${count(items.length, "segment")} in this image`);
  }

  #missing() {
    return this.uploaded
      ? emptyState("This image is no longer on the server", "Uploaded images are kept for a while only, and are seen by whoever uploaded them. Upload it again to go on.", { action: { label: "Upload image", run: () => document.getElementById("file").click() } })
      : emptyState("There is no such image", "It may have been in another store.", { action: { label: "Browse images", run: () => go({ view: "browse" }) } });
  }

  #neighbours() {
    const at = lastList.keys.indexOf(this.route.id);
    const to = (i) => lastList.keys[i] && href({ view: "image", id: lastList.keys[i], where: this.route.where });
    const back = href({ view: "browse", where: this.route.where });
    this.before = at > 0 ? to(at - 1) : null;
    this.after = at >= 0 ? to(at + 1) : null;
    return h(
      "div.row.tight",
      null,
      h("a.button", { href: back, title: "All images" }, "Images"),
      this.before && h("a.button.bare", { href: this.before, "aria-label": "Previous image", title: "Previous image (←)" }, icon("left")),
      this.after && h("a.button.bare", { href: this.after, "aria-label": "Next image", title: "Next image (→)" }, icon("right")),
    );
  }

  hovered(shape) {
    for (const row of this.listPlace.querySelectorAll(".lit")) row.classList.remove("lit");
    if (shape) this.listPlace.querySelector(`[data-id="${CSS.escape(shape.id)}"]`)?.classList.add("lit");
    this.stage.element.style.cursor = shape && this.stage.tool === "select" ? "pointer" : "crosshair";
  }

  selected(shape) {
    for (const row of this.listPlace.querySelectorAll('[aria-current="true"]')) row.removeAttribute("aria-current");
    if (!shape) {
      fill(this.focusPlace);
      return;
    }
    this.sam.forget();
    const row = this.listPlace.querySelector(`[data-id="${CSS.escape(shape.id)}"]`);
    row?.setAttribute("aria-current", "true");
    row?.scrollIntoView({ block: "nearest" });
    const search = () => this.search();
    if (this.answers) fill(this.focusPlace, answerCard(shape, { search }));
    else {
      const family = { parent: this.stored.find((s) => s.id === shape.parent_id), parts: this.stored.filter((s) => s.parent_id === shape.id) };
      fill(this.focusPlace, segmentCard(shape, family, { search, label: () => labelDialog([shape]), select: (s) => this.stage.select(s), light: (s) => this.stage.light(s) }));
      this.route = { ...this.route, seg: shape.id };
      go(this.route, { replace: true });
    }
    announce(`Selected ${shape.class_name ?? "no class"}, ${shape.granularity}`);
  }

  #selectStored(id, focus) {
    const shape = this.stored.find((s) => s.id === id);
    if (shape && shape !== this.stage.selected) this.stage.select(shape);
    if (focus) this.stage.element.focus();
  }

  #list() {
    const shapes = this.answers ?? this.stored;
    fill(
      this.listPlace,
      segmentList(shapes, {
        levels: this.stage.levels,
        answers: this.answers !== null,
        bank: this.answeredBy,
        uploaded: this.uploaded,
        select: (shape) => this.stage.select(shape),
        light: (shape) => this.stage.light(shape),
        level: (name, on) => {
          if (on) this.stage.levels.add(name);
          else this.stage.levels.delete(name);
          this.stage.draw();
          this.#list();
        },
        back: () => this.#showStored(),
        classify: () => this.classify(),
      }),
    );
  }

  /** Ask SAM for what a prompt means. */
  ask(prompt) {
    this.stage.select(null);
    this.stage.prompt = prompt;
    this.sam.ask(this.example, prompt);
  }

  /** Search for the candidate or the selected segment. */
  search() {
    if (this.sam.candidates) {
      this.#searchShape(this.sam.example(), this.sam.polygons);
      return;
    }
    const shape = this.stage.selected;
    if (!shape) return;
    if (shape.segment_id) go(searchFor([{ segment_id: shape.segment_id }]));
    else this.#searchShape({ mask: shape.mask }, shape.polygons);
  }

  #searchShape(shape, polygons) {
    const example = { ...this.example, ...shape };
    outlines.set(exampleText(example), polygons);
    go(searchFor([example]));
  }

  clear() {
    this.sam.forget();
    this.stage.select(null);
  }

  async classify() {
    const told = await info({ fresh: true });
    if (!told.active_bank) {
      fill(this.focusPlace, emptyState("There is no bank to classify with", `The one that comes with samdb is for another model than ${told.model}. A bank is learned from the labelled segments:`, { command: "samdb bank build" }));
      return;
    }
    this.clear();
    this.classifyButton.disabled = true;
    const work = working(`${told.sam_loaded ? "Cutting" : "Loading SAM the first time, then cutting"} the image into segments and asking ${bankWords(told.active_bank, told.active_bank_built_in)} …`);
    fill(this.status, work.element);
    try {
      const { items, bank, built_in } = await post("/api/classify", this.example, this.abort.signal);
      if (!told.sam_loaded) info({ fresh: true });
      this.answers = items.map((item, i) => ({ ...item, id: `answer-${i}`, area_px: item.area_px ?? boxArea(item.box_xyxy), bank: bankWords(bank, built_in) }));
      this.answeredBy = bankWords(bank, built_in);
      this.stage.levels = new Set(["whole", "part", "subpart"]);
      this.stage.captions = true;
      this.stage.setShapes(this.answers);
      this.#list();
      announce(`${count(items.length, "segment")} classified with ${this.answeredBy}`);
    } catch (error) {
      if (!isAbort(error)) fill(this.focusPlace, errorState(error, () => this.classify()));
    } finally {
      work.stop();
      this.classifyButton.disabled = false;
    }
  }

  #showStored() {
    this.answers = null;
    this.stage.levels = new Set(["whole"]);
    this.stage.captions = false;
    this.clear();
    this.stage.setShapes(this.stored);
    this.#list();
  }

  relabel(classes) {
    for (const shape of this.stored) if (classes.has(shape.id)) shape.class_name = classes.get(shape.id);
    this.#list();
    if (this.stage.selected && !this.answers) this.selected(this.stage.selected);
    this.stage.draw();
  }

  tool(name) {
    this.stage.tool = name;
    for (const button of this.tools) button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  }

  toggleMasks() {
    this.stage.masks = !this.stage.masks;
    this.eye.setAttribute("aria-pressed", String(this.stage.masks));
    this.stage.light(null);
    this.stage.draw();
  }

  key(event) {
    if (typing(event) || document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const { stage } = this;
    const onButton = event.target.closest?.("button, a, summary");
    const acts = {
      v: () => this.tool("select"),
      b: () => this.tool("box"),
      p: () => this.tool("point"),
      m: () => this.toggleMasks(),
      c: () => this.classify(),
      l: () => stage.selected?.segment_id && labelDialog([stage.selected]),
      s: () => this.search(),
      Enter: () => !onButton && this.search(),
      Escape: () => this.clear(),
      "[": () => stage.step(-1),
      "]": () => stage.step(1),
      j: () => this.#next(1),
      k: () => this.#next(-1),
      "+": () => stage.zoom(1.4),
      "=": () => stage.zoom(1.4),
      "-": () => stage.zoom(1 / 1.4),
      0: () => stage.fit(),
      ArrowLeft: () => this.before && (location.hash = this.before),
      ArrowRight: () => this.after && (location.hash = this.after),
    };
    if (/^[1-9]$/.test(event.key) && this.sam.candidates) this.sam.choose(Number(event.key) - 1);
    else if (Object.hasOwn(acts, event.key)) {
      if (event.key === "l") event.preventDefault();
      acts[event.key]();
    }
  }

  #next(by) {
    const order = [...this.listPlace.querySelectorAll("[data-id]")].map((row) => row.dataset.id);
    const at = order.indexOf(this.stage.selected?.id);
    const id = order[at < 0 ? (by > 0 ? 0 : order.length - 1) : (at + by + order.length) % order.length];
    const shape = this.stage.shapes.find((s) => s.id === id);
    if (shape) this.stage.select(shape);
  }

  dispose() {
    this.abort.abort();
    this.sam.forget();
    document.removeEventListener("keydown", this.onkey);
    window.removeEventListener("samdb:labelled", this.onlabel);
    this.stage.dispose();
  }
}

const bankWords = (bank, builtIn) => `${bank}${builtIn ? " (comes with samdb)" : ""}`;
const boxArea = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);

/** The size of an upload of another tab; a 404 for one that the server no longer has. */
function sizeOf(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => reject(Object.assign(new Error("no such upload"), { status: 404 }));
    image.src = url;
  });
}
