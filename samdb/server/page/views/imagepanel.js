// What stands beside an image: the selected segment, SAM's candidates, the bank's answers, the list of all.

import { count, h, number } from "../js/dom.js";
import { classTag } from "../js/hitcard.js";
import { icon } from "../js/icons.js";
import { toast } from "../js/talk.js";
import { keyName } from "../js/where.js";

const LEVELS = ["whole", "part", "subpart"];

/** A stored segment with its scores, its family and what can be done with it. */
export function segmentCard(segment, { parent, parts }, on) {
  const told = [
    ["Granularity", segment.granularity],
    ["Label source", segment.label_source],
    ["Area", `${number.format(segment.area_px)} px²`],
    ["Predicted IoU", segment.predicted_iou?.toFixed(2)],
    ["Stability", segment.stability_score?.toFixed(2)],
    ...Object.entries(segment.attributes ?? {}).filter(([, v]) => typeof v !== "object").map(([k, v]) => [keyName(k), String(v)]),
    ["Flags", segment.flags?.join(", ")],
  ];
  const member = (s, words) =>
    h("li", null, h("button.link", { type: "button", onclick: () => on.select(s), onpointerenter: () => on.light(s), onpointerleave: () => on.light(null) }, words, `${s.class_name ?? "no class"}, ${number.format(s.area_px)} px²`));
  return h(
    "section.focus-card",
    { "aria-label": "Selected segment" },
    h("h2", null, classTag(segment.class_name)),
    h("div.row", null, h("button.primary", { type: "button", id: "find-similar", title: "Enter", onclick: on.search }, icon("search"), "Find similar"), h("button", { type: "button", title: "l", onclick: on.label }, icon("tag"), "Label")),
    facts(told),
    parent && h("ul.family", { "aria-label": "Belongs to" }, member(parent, "Part of ")),
    parts.length > 0 && h("details.family", null, h("summary", null, count(parts.length, "part")), h("ul", null, parts.map((s) => member(s, `${s.granularity}: `)))),
    h("div.row.id-row", null, h("code.id", null, segment.segment_id), h("button.bare", { type: "button", "aria-label": "Copy the id", onclick: () => copy(segment.segment_id) }, icon("copy"))),
  );
}

/** SAM's answers to a prompt; `index` is the chosen one. */
export function candidateCard(candidates, index, on) {
  const chosen = candidates[index];
  return h(
    "section.focus-card",
    { "aria-label": "SAM's mask" },
    h("h2", null, "SAM’s mask"),
    candidates.length > 1 && h(
      "div.segmented",
      { role: "group", "aria-label": "Candidates" },
      candidates.map((c, i) => h("button", { type: "button", "aria-pressed": String(i === index), title: `Key ${i + 1}`, onclick: () => on.choose(i) }, `${i + 1}`, h("span.quiet.small", null, ` IoU ${c.predicted_iou.toFixed(2)}`))),
    ),
    h("div.row", null, h("button.primary", { type: "button", id: "find-similar", title: "Enter", onclick: on.search }, icon("search"), "Find similar"), h("button", { type: "button", title: "Esc", onclick: on.clear }, "Clear")),
    facts([
      ["Area", `${number.format(chosen.area_px)} px²`],
      ["Predicted IoU", chosen.predicted_iou.toFixed(2)],
      ["Stability", chosen.stability_score?.toFixed(2)],
      ["Box", chosen.box_xyxy.map((v) => Math.round(v)).join(", ")],
    ]),
  );
}

const REASONS = { background: "looks like background", low_score: "score below the class's threshold", no_neighbours: "nothing in the bank is near" };

/** What the bank says of one segment. */
export function answerCard(answer, on) {
  return h(
    "section.focus-card",
    { "aria-label": "Classified segment" },
    h("h2", null, classTag(answer.class_name)),
    h("button.primary", { type: "button", id: "find-similar", onclick: on.search }, icon("search"), "Find similar"),
    facts([
      ["Score", answer.score?.toFixed(2)],
      ["Answer", answer.outcome],
      ["Could be", answer.candidates?.length > 1 ? answer.candidates.map((c) => c?.class_name ?? c).join(", ") : null],
      ["Runner-up", answer.runner_up],
      ["Rejected", answer.reason && (REASONS[answer.reason] ?? answer.reason)],
      ["Granularity", answer.granularity],
      ["Bank", answer.bank],
    ]),
  );
}

/** All shapes as a list, those of the chosen levels; hovering lights them in the picture. */
export function segmentList(shapes, on) {
  if (on.answers) return answerList(shapes, on);
  if (on.uploaded) return h("div.list-head.nothing-yet", null, h("h2", null, "Nothing cut yet"), h("p.quiet.small", null, "Click a point or drag a box in the picture, or:"), h("button.primary", { type: "button", onclick: on.classify }, icon("spark"), "Name everything in it"));
  const rows = shapes.filter((s) => on.levels.has(s.granularity)).sort((a, b) => (a.class_name == null) - (b.class_name == null) || b.area_px - a.area_px);
  const counts = Object.fromEntries(LEVELS.map((level) => [level, shapes.filter((s) => s.granularity === level).length]));
  return h(
    "div.list",
    null,
    h("div.list-head", null, h("div.row.wide", null, h("h2", null, count(shapes.length, "segment")), h("span.spacer"), h("span.quiet.small", null, "area, px²")), h("div.segmented", { role: "group", "aria-label": "Levels" }, LEVELS.map((level) =>
      h("button", { type: "button", "aria-pressed": String(on.levels.has(level)), disabled: !counts[level], data: { level }, onclick: () => on.level(level, !on.levels.has(level)) }, `${level}s `, h("span.quiet", null, counts[level])),
    ))),
    h("ul.rows", { "aria-label": "Segments" }, rows.map((s) => row(s, on, number.format(s.area_px)))),
  );
}

function answerList(shapes, on) {
  const named = shapes.filter((s) => s.class_name != null).sort((a, b) => b.score - a.score);
  const rejected = shapes.filter((s) => s.class_name == null).sort((a, b) => b.area_px - a.area_px);
  return h(
    "div.list",
    null,
    h("div.list-head", null, h("h2", null, `${number.format(named.length)} classified, ${number.format(rejected.length)} rejected`), h("p.quiet.small", null, `by ${on.bank}`), h("button.link", { type: "button", onclick: on.back }, on.uploaded ? "Clear the answers" : "Back to the segments")),
    h("ul.rows", { "aria-label": "Answers" }, [...named, ...rejected].map((s) => row(s, on, s.class_name == null ? (s.reason ?? "").replaceAll("_", " ") : s.score.toFixed(2)))),
  );
}

function row(shape, on, words) {
  return h(
    "li",
    null,
    h(
      "button.segment-row",
      { type: "button", data: { id: shape.id }, onclick: () => on.select(shape), onpointerenter: () => on.light(shape), onpointerleave: () => on.light(null), onfocus: () => on.light(shape), onblur: () => on.light(null) },
      classTag(shape.class_name),
      h("span.quiet.small", null, shape.granularity === "whole" ? "" : shape.granularity),
      h("span.facet-count", null, words),
    ),
  );
}

function facts(rows) {
  return h("dl.facts", null, rows.filter(([, v]) => v !== undefined && v !== null && v !== "").map(([k, v]) => h("div", null, h("dt", null, k), h("dd", null, v))));
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not let this page copy: select the id instead", { bad: true });
  }
}
