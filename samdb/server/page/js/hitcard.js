// A found segment: its crop in context, score, class, attributes, and what can be done with it.

import { cropUrl } from "./api.js";
import { classCss } from "./color.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

/** What of a segment's attributes is worth a line: texts as they are, flags by their name. */
export function attributeWords(segment) {
  return Object.entries(segment.attributes ?? {})
    .filter(([, v]) => v !== null && v !== false && v !== "undefined" && v !== "none" && v !== "")
    .map(([k, v]) => (v === true ? k.replaceAll("_", " ") : typeof v === "object" ? null : String(v)))
    .filter(Boolean);
}

/** A class with its colour; a quiet "no class" for none. */
export function classTag(name) {
  return h("span.class-tag", null, h("span.swatch", { style: { background: classCss(name) } }), h("span", null, name ?? "no class"));
}

/** So many crops are on the first screen: they do not wait until the browser has laid out the page. */
const AT_ONCE = 12;

/** A card (<li>) for a hit {rank, score, segment}; `on` are its listeners: pick, open, more, less, search. */
export function hitCard(hit, on) {
  const { segment } = hit;
  const told = attributeWords(segment);
  const score = hit.score == null ? null : hit.score.toFixed(2);
  const name = h("span.card-title");
  const pick = h(
    "button.hit.pick",
    { type: "button", tabindex: "-1", "aria-pressed": "false", title: segment.image_id, onclick: on.pick, ondblclick: on.open },
    h("img", { src: cropUrl(segment.segment_id), alt: "", loading: hit.rank > AT_ONCE ? "lazy" : "eager", fetchpriority: hit.rank > AT_ONCE ? "auto" : "high", decoding: "async", width: 192, height: 192 }),
    h("span.tick", { "aria-hidden": "true" }, icon("check")),
    score && h("span.score", { "aria-hidden": "true" }, score),
  );
  const more = vote("up", "More like this (y)", on.more);
  const less = vote("down", "Less like this (n)", on.less);
  const element = h(
    "li.card",
    { data: { id: segment.segment_id } },
    pick,
    h(
      "div.card-actions",
      null,
      more,
      less,
      h("button.bare", { type: "button", tabindex: "-1", title: "Search for this one (s)", "aria-label": "Search for this one", onclick: on.search }, icon("search")),
      h("button.bare", { type: "button", tabindex: "-1", title: "Open its image (Enter)", "aria-label": "Open its image", onclick: on.open }, icon("image")),
    ),
    h("div.card-text", null, name, h("span.card-line.quiet", null, [segment.granularity === "whole" ? null : segment.granularity, ...told].filter(Boolean).join(" · "))),
  );
  const show = () => {
    fill(name, classTag(segment.class_name));
    const words = [segment.class_name ?? "no class", score && `score ${score}`, segment.granularity, ...told].filter(Boolean);
    pick.setAttribute("aria-label", words.join(", "));
  };
  show();
  return Object.assign(element, { showClass: show });
}

function vote(way, words, onclick) {
  return h(`button.bare.vote.${way}`, { type: "button", tabindex: "-1", title: words, "aria-label": words.replace(/ \(.\)/, ""), onclick }, icon(way));
}
