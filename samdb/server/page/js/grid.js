// A list of cards that loads as one scrolls, and can be walked through with the arrow keys.

import { isAbort } from "./api.js";
import { fill, h } from "./dom.js";
import { keep, kept } from "./kept.js";
import { errorState } from "./talk.js";

/**
 * `load(cursor, signal)` gives {items, next}; `card(item, i)` an <li> whose `.hit` takes the focus;
 * `empty()` what is shown when there is nothing; `onload(items, all)` is told of each page.
 */
export class Grid {
  constructor({ load, card, empty, onload = () => {}, label, kind = "cards" }) {
    Object.assign(this, { load, card, empty, onload });
    this.list = h(`ul.grid.${kind}`, { "aria-label": label });
    this.foot = h("div.grid-foot");
    this.element = h("div.grid-scroll", { tabindex: "-1" }, this.list, this.foot);
    this.items = [];
    this.watch = new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && this.more(), {
      root: this.element,
      rootMargin: "600px",
    });
    this.sizes = sizeControl(kind);
    this.onkey = (event) => this.#enter(event);
    document.addEventListener("keydown", this.onkey);
    this.list.addEventListener("keydown", (event) => this.#walk(event));
    this.list.addEventListener("focusin", (event) => this.#rove(event.target.closest("li")));
  }

  /** Load from the start. What was there stays, dimmed, until the first page is here. */
  async restart() {
    this.abort?.abort();
    this.abort = new AbortController();
    this.next = null;
    this.busy = false;
    this.watch.disconnect();
    this.list.classList.add("stale");
    this.element.setAttribute("aria-busy", "true");
    if (!this.items.length) fill(this.foot, skeletons());
    await this.#page(true);
  }

  /** Load the next page, unless one is on its way or there is none. */
  async more() {
    if (this.busy || this.next === null) return;
    fill(this.foot, h("div.working", null, h("span.spinner"), "Loading more …"));
    await this.#page(false);
  }

  async #page(first) {
    const { signal } = this.abort;
    this.busy = true;
    try {
      const { items, next } = await this.load(first ? null : this.next, signal);
      if (signal.aborted) return;
      const held = first ? this.focused() : null;
      if (first) {
        this.items = [];
        this.list.replaceChildren();
        this.element.scrollTop = 0;
      }
      const from = this.items.length;
      this.items.push(...items);
      this.list.append(...items.map((item, i) => this.card(item, from + i)));
      this.next = next ?? null;
      fill(this.foot, this.items.length ? null : this.empty());
      const focusable = this.list.querySelector(".hit");
      if (first && focusable) focusable.tabIndex = 0;
      // who walks by keyboard goes on where they were
      if (held) this.focus(Math.min(held.index, this.items.length - 1));
      this.onload(items, this.items);
      this.watch.disconnect();
      if (this.next !== null) this.watch.observe(this.foot);
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      if (first) {
        this.items = [];
        this.list.replaceChildren();
      }
      this.watch.disconnect();
      fill(this.foot, errorState(error, () => (first ? this.restart() : this.more())));
    } finally {
      if (!signal.aborted) {
        this.busy = false;
        this.list.classList.remove("stale");
        this.element.removeAttribute("aria-busy");
      }
    }
  }

  /** The card that has the focus (or had it last), as {item, index, element}; null for none. */
  focused() {
    const element = document.activeElement?.closest?.("li");
    const index = element ? [...this.list.children].indexOf(element) : -1;
    return index < 0 ? null : { item: this.items[index], index, element };
  }

  /** Put the focus on a card. */
  focus(index) {
    this.list.children[index]?.querySelector(".hit")?.focus();
  }

  /** An arrow key finds its way to the cards when nothing else has the focus. */
  #enter(event) {
    const nowhere = document.activeElement === document.body || document.activeElement?.id === "main";
    if (!nowhere || !/^Arrow(Right|Down)$/.test(event.key) || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.focus(0);
  }

  #rove(element) {
    if (!element) return;
    for (const hit of this.list.querySelectorAll('.hit[tabindex="0"]')) hit.tabIndex = -1;
    const hit = element.querySelector(".hit");
    if (hit) hit.tabIndex = 0;
  }

  #walk(event) {
    const here = this.focused();
    if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const ends = { Home: 0, End: this.items.length - 1 }[event.key];
    if (step === undefined && ends === undefined) return;
    event.preventDefault();
    const to = ends ?? here.index + step;
    if (to >= 0 && to < this.items.length) this.focus(to);
  }

  /** Hold nothing: show `what` instead of cards. */
  clear(what) {
    this.#stop();
    this.items = [];
    this.list.replaceChildren();
    fill(this.foot, what);
  }

  #stop() {
    this.abort?.abort();
    this.watch.disconnect();
  }

  /** Stop loading and listening. */
  dispose() {
    this.#stop();
    document.removeEventListener("keydown", this.onkey);
  }
}

const SIZES = { cards: [152, 104, 304], images: [216, 144, 432] };

/** How large the cards are, kept for the next visit. */
function sizeControl(kind) {
  const [usual, least, most] = SIZES[kind];
  const slider = h("input", { type: "range", min: least, max: most, step: 8, "aria-label": "Size of the pictures", title: "Size of the pictures" });
  const show = () => document.documentElement.style.setProperty(`--${kind}-size`, `${slider.value}px`);
  slider.value = kept(kind) ?? usual;
  slider.addEventListener("input", () => {
    show();
    keep(kind, slider.value);
  });
  show();
  return slider;
}

function skeletons() {
  return h("div.grid.cards", { "aria-hidden": "true" }, Array.from({ length: 12 }, () => h("div.skeleton")));
}
