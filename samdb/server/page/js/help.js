// Every key of the page, one table; the view on show comes first.

import { h } from "./dom.js";
import { dialog } from "./talk.js";

const KEYS = {
  everywhere: ["Everywhere", [
    ["?", "This help"],
    ["g then b, s, k, m", "Go to Browse, the last search, Bank, Map"],
    ["u", "Upload an image (or drop it, or paste it)"],
    ["t", "Light, dark or as the system"],
    ["Ctrl Z", "Undo the last labelling"],
    ["Esc", "Close, or let go of what is selected"],
  ]],
  browse: ["Browse", [
    ["← ↑ → ↓", "Move between images"],
    ["Enter", "Open the image"],
    ["f", "Go to the filters"],
  ]],
  image: ["Image", [
    ["wheel or [ ]", "From the whole to its parts and subparts, and back"],
    ["click", "Select a segment; where there is none, ask SAM at that point"],
    ["drag", "Ask SAM for what lies in the box"],
    ["Shift click, Alt click", "Add a point that belongs to the object, or does not"],
    ["v, b, p", "Tools: select, box, point"],
    ["1 2 3", "Choose among SAM's candidates"],
    ["j k", "Next and previous segment"],
    ["Enter or s", "Search for what is selected"],
    ["l", "Label the selected segment"],
    ["c", "Classify the image"],
    ["m", "Show or hide masks"],
    ["+ − 0", "Zoom in, out, fit (also Ctrl wheel; Space and drag moves)"],
    ["← →", "Previous and next image"],
  ]],
  search: ["Search results", [
    ["← ↑ → ↓", "Move between results"],
    ["y, n", "More like this one, less like this one"],
    ["Space or click", "Select"],
    ["Shift click, Shift arrows", "Select a range"],
    ["Ctrl A", "Select all that are loaded"],
    ["l", "Label the selected"],
    ["s", "Search for this one"],
    ["Enter or double click", "Open its image"],
    ["f", "Go to the filters"],
  ]],
  bank: ["Bank", [
    ["← ↑ → ↓", "Move between prototypes"],
    ["Enter", "Search for the segment behind the prototype"],
  ]],
  map: ["Map", [
    ["drag, wheel", "Move and zoom"],
    ["Shift drag, or a then drag", "Lasso"],
    ["click", "Select a segment"],
    ["← ↑ → ↓ + − 0", "Move, zoom, fit"],
    ["l", "Label what is selected"],
    ["s", "Search for what is selected"],
  ]],
};
KEYS.upload = KEYS.image;

/** Show the keys, those of `view` first. */
export function showHelp(view) {
  if (document.querySelector("dialog.help")) return;
  const order = [...new Set([KEYS[view], KEYS.everywhere, ...Object.values(KEYS)])].filter(Boolean);
  const box = dialog("Keys", h("div.help-columns", null, order.map(([title, rows]) => group(title, rows))));
  box.classList.add("help");
}

function group(title, rows) {
  return h(
    "section",
    null,
    h("h3", null, title),
    h("dl.keys", null, rows.map(([keys, what]) => h("div", null, h("dt", null, keysOf(keys)), h("dd", null, what)))),
  );
}

const PLAIN = new Set(["or", "then", "click", "drag", "wheel", "and", "double", "arrows"]);

function keysOf(text) {
  return text.split(" ").map((word) => {
    const bare = word.replace(/,$/, "");
    return [PLAIN.has(bare) ? bare : h("kbd", null, bare), word.endsWith(",") ? ", " : " "];
  });
}
