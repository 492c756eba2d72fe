// Bank: what classification goes by. Classes with their counts and thresholds; prototypes with the real segment behind each.

import { cropUrl, get, isAbort } from "../js/api.js";
import { count, fill, h, number } from "../js/dom.js";
import { Grid } from "../js/grid.js";
import { classTag } from "../js/hitcard.js";
import { classCss } from "../js/color.js";
import { side } from "../js/facets.js";
import { go } from "../js/route.js";
import { announce, commandLine, emptyState, errorState, working } from "../js/talk.js";
import { searchFor } from "./search.js";

/** Show the view in `main`. */
export function show(main, route) {
  const abort = new AbortController();
  let now = route;
  let view = null;
  const start = async () => {
    const work = working("Loading the banks …");
    fill(main, work.element);
    try {
      const { items } = await get("/api/banks", {}, abort.signal);
      if (!items.length) {
        fill(main, emptyState("There is no bank yet", "A bank is learned from the labelled segments of this store; then images can be classified:", { command: "samdb bank build" }));
        return;
      }
      view = new BankView(main, items);
      view.show(now);
    } catch (error) {
      if (!isAbort(error)) fill(main, errorState(error, start));
    } finally {
      work.stop();
    }
  };
  start();
  return {
    update(next) {
      now = next;
      view?.show(next);
      return true;
    },
    dispose() {
      abort.abort();
      view?.dispose();
    },
  };
}

class BankView {
  constructor(main, banks) {
    this.banks = banks;
    this.card = h("div.bank-card");
    this.classes = h("div.facets");
    this.title = h("h1");
    this.told = h("p.count");
    this.place = h("div.fill");
    this.sizes = h("div");
    fill(main, h("div.split", null, side("Bank and classes", this.card, this.classes), h("div.content", null, h("div.bar", null, this.title, this.told, h("span.spacer"), this.sizes), this.place)));
  }

  show(route) {
    const bank = this.banks.find((b) => b.label === route.bank) ?? this.banks.find((b) => b.active) ?? this.banks[0];
    const chosen = route.class_name ?? null;
    this.#card(bank, route);
    this.#classes(bank, chosen, route);
    this.title.textContent = chosen === null ? "Prototypes" : `Prototypes of ${chosen}`;
    this.told.textContent = "";
    this.grid?.dispose();
    let found = [];
    this.grid = new Grid({
      label: "Prototypes",
      load: async (_, signal) => {
        const { items } = await get(`/api/banks/${encodeURIComponent(bank.label)}/prototypes`, { class_name: chosen, limit: 600 }, signal);
        found = items.sort((a, b) => b.count - a.count);
        // a bank of other images has nothing to show here: tiles without a picture would say nothing
        return { items: found.some((p) => p.exemplar) ? found : [], next: null };
      },
      card: prototypeCard,
      empty: () => (found.length ? withoutPictures(bank, found, chosen) : emptyState("No prototypes", "This bank has none for that class.")),
      onload: () => {
        this.told.textContent = count(found.length, "prototype");
        this.sizes.hidden = !this.grid.items.length;
        announce(this.told.textContent);
      },
    });
    fill(this.place, this.grid.element);
    fill(this.sizes, this.grid.sizes);
    this.grid.restart();
  }

  #card(bank, route) {
    const select = h("select", { id: "bank-choice" }, this.banks.map((b) => h("option", { value: b.label, selected: b === bank }, `${b.label}${b.active ? " (active)" : ""}`)));
    select.addEventListener("change", () => go({ ...route, view: "bank", bank: select.value, class_name: "" }));
    const facts = [
      ["Compares", bank.recipe === "proj" ? "its own projection of embeddings" : bank.recipe],
      ["Prototypes", number.format(bank.n_prototypes)],
      ["Made", (bank.created ?? "").slice(0, 16).replace("T", " ")],
      ["Trained on", bank.trained_on],
      ["Data licence", bank.data_licence],
    ];
    fill(
      this.card,
      h("div.facet-row", null, h("label", { for: "bank-choice" }, "Bank"), select),
      h("dl.facts", null, facts.filter(([, v]) => v).map(([k, v]) => h("div", null, h("dt", null, k), h("dd", null, v)))),
      !bank.active && h("p.quiet.small", null, "Not the active one: ", h("code", null, bank.built_in ? `samdb classify --bank ${bank.name}` : `samdb bank activate ${bank.label}`)),
    );
  }

  #classes(bank, chosen, route) {
    const rows = [...bank.classes].sort((a, b) => b.count - a.count);
    const top = Math.max(1, ...rows.map((c) => c.count));
    const to = (name) => go({ ...route, view: "bank", class_name: name === chosen ? "" : name });
    fill(
      this.classes,
      h("h2", null, count(rows.length, "class", "classes")),
      h(
        "ul.facet-values",
        null,
        rows.map((c) =>
          h(
            "li",
            null,
            h(
              "button.facet-value",
              { type: "button", "aria-pressed": String(c.class_name === chosen), data: { value: c.class_name }, title: c.threshold == null ? "" : `rejected below a score of ${c.threshold.toFixed(2)}`, onclick: () => to(c.class_name) },
              h("span.facet-bar", { style: { width: `${(100 * c.count) / top}%` }, "aria-hidden": "true" }),
              h("span.swatch", { style: { background: classCss(c.class_name) } }),
              h("span.facet-name", null, c.class_name),
              c.threshold != null && h("span.threshold.quiet", null, `≥ ${c.threshold.toFixed(2)}`),
              h("span.facet-count", null, number.format(c.count)),
            ),
          ),
        ),
      ),
      h("p.quiet.small", null, "Segments a class was learned from, and the score below which the bank rejects."),
    );
  }

  dispose() {
    this.grid?.dispose();
  }
}

/** What there is to see of a bank that was learned from images of another store. */
function withoutPictures(bank, prototypes, chosen) {
  const rows = bank.classes.filter((c) => chosen === null || c.class_name === chosen).sort((a, b) => b.count - a.count);
  const of = (name) => prototypes.filter((p) => p.class_name === name).length;
  const f1 = (name) => bank.metrics[`held_out_f1/${name}`]?.toFixed(2) ?? "";
  const row = (c) => h("tr", null, h("th", { scope: "row" }, classTag(c.class_name)), h("td", null, number.format(c.count)), h("td", null, number.format(of(c.class_name))), h("td", null, c.threshold?.toFixed(2) ?? ""), h("td", null, f1(c.class_name)));
  const background = chosen === null && of(null) > 0 && h("tr", null, h("th", { scope: "row" }, backgroundTag()), h("td"), h("td", null, number.format(of(null))), h("td"), h("td"));
  const from = bank.built_in ? `This bank comes with samdb${bank.trained_on ? `; it was trained on ${bank.trained_on}` : ""}.` : "This bank was learned from images of another store.";
  return h(
    "section.pictureless",
    { "aria-label": "What the bank knows" },
    h("p.quiet", null, `${from} Those images are not in this store, so its prototypes have no pictures here.`),
    h(
      "table.figures",
      null,
      h("thead", null, h("tr", null, ["Class", "Segments learned from", "Prototypes", "Rejected below", "F1, held out"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, rows.map(row), background),
    ),
    bank.built_in && h("p.quiet", null, "A bank of your own labels knows your classes, and answers instead once it is built:"),
    bank.built_in && commandLine("samdb bank build"),
  );
}

const backgroundTag = () => h("span.class-tag", null, h("span.swatch", { style: { background: classCss(null) } }), "background");

function prototypeCard(prototype) {
  const { exemplar } = prototype;
  const name = prototype.class_name ?? "background";
  const words = `${name}, stands for ${count(prototype.count, "segment")}`;
  const text = h("div.card-text", null, h("span.card-title", null, prototype.class_name === null ? backgroundTag() : classTag(prototype.class_name)), h("span.card-line.short.quiet", null, count(prototype.count, "segment"), prototype.origin === "kmeans" || prototype.origin === "background" ? "" : ` · ${prototype.origin}`));
  if (!exemplar) return h("li.card", null, h("div.hit.pick.no-picture", { tabindex: "-1", role: "img", "aria-label": `${words}; no stored segment behind it` }, "no stored segment"), text);
  const search = () => go(searchFor([{ segment_id: exemplar.segment_id }]));
  return h(
    "li.card",
    null,
    h("button.hit.pick", { type: "button", tabindex: "-1", "aria-label": `${words}: search for its exemplar`, title: "Search for this one", onclick: search }, h("img", { src: cropUrl(exemplar.segment_id), alt: "", loading: "lazy", decoding: "async", width: 192, height: 192 }), h("span.score", { "aria-hidden": "true" }, number.format(prototype.count))),
    text,
  );
}
