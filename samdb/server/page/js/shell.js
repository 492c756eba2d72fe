// The frame around the views: navigation, upload from anywhere, theme, keys.

import { ApiError, call, info } from "./api.js";
import { count, fill, h, number, typing } from "./dom.js";
import { showHelp } from "./help.js";
import { icon } from "./icons.js";
import { keep } from "./kept.js";
import { undoLast } from "./labels.js";
import { go, href } from "./route.js";
import { toast, working } from "./talk.js";
import { rememberUpload } from "./uploads.js";

const TABS = [["browse", "Browse", "b"], ["search", "Search", "s"], ["bank", "Bank", "k"], ["map", "Map", "m"]];
const THEMES = ["auto", "light", "dark"];

/** The last search of this visit, so that its tab leads back to it. */
let lastSearch = { view: "search" };

/** Build the header and listen for what belongs to the whole page. `current` gives the route on show. */
export function buildShell(current) {
  const top = document.getElementById("top");
  const file = h("input.visually-hidden", { type: "file", accept: "image/*", tabindex: "-1", "aria-hidden": "true", id: "file" });
  file.addEventListener("change", () => {
    if (file.files[0]) upload(file.files[0]);
    file.value = "";
  });
  fill(
    top,
    h("a.brand", { href: "#/browse", "aria-label": "samdb, to Browse" }, h("img", { src: "/assets/icon.svg", alt: "", width: 22, height: 22 }), h("span", null, "samdb")),
    h("nav", { "aria-label": "Views" }, TABS.map(([view, name]) => h("a.tab", { href: `#/${view}`, data: { view } }, name))),
    h("p.store.quiet", { id: "store" }),
    file,
    h("button", { type: "button", id: "upload", title: "Upload an image (u), drop it or paste it", onclick: () => file.click() }, icon("upload"), h("span.wide-only", null, "Upload image")),
    themeButton(),
    h("button.bare", { type: "button", "aria-label": "Help: keys", title: "Keys (?)", onclick: () => showHelp(current().view) }, icon("help")),
  );
  const skip = document.getElementById("skip");
  skip.addEventListener("click", () => document.getElementById("main").focus());
  listenForFiles();
  listenForKeys(current, file);
}

/** Light the tab of a route, and remember a search. */
export function markTab(route) {
  if (route.view === "search" && route.pos.length) lastSearch = route;
  for (const tab of document.querySelectorAll("a.tab")) {
    const view = tab.dataset.view;
    const on = view === route.view || (view === "browse" && (route.view === "image" || route.view === "upload"));
    if (on) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
    if (view === "search") tab.href = href(lastSearch);
  }
}

/** Say whose data is on show. */
export function tellStore(told) {
  const place = document.getElementById("store");
  place.title = `${told.store} · model ${told.model ?? "none"} · samdb ${told.version}`;
  fill(place, count(told.totals.segments, "segment"), " in ", count(told.totals.images, "image"));
}

function themeButton() {
  const button = h("button.bare", { type: "button", id: "theme" });
  const show = () => {
    const now = document.documentElement.dataset.theme ?? "auto";
    fill(button, icon({ auto: "auto", light: "sun", dark: "moon" }[now]));
    const words = `Theme: ${now === "auto" ? "as the system" : now}`;
    button.setAttribute("aria-label", words);
    button.title = `${words} (t)`;
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    keep("theme", next);
    show();
    window.dispatchEvent(new Event("samdb:theme"));
  });
  show();
  return button;
}

/** Send an image to the server and open it. */
export async function upload(file) {
  const work = working(`Uploading ${file.name || "the image"} …`);
  document.getElementById("toasts").append(work.element);
  try {
    const { limits } = await info();
    if (limits?.max_upload_bytes && file.size > limits.max_upload_bytes) {
      throw new ApiError(413, "too_large", `The file has ${number.format(file.size)} bytes, the server takes ${number.format(limits.max_upload_bytes)}: make it smaller`);
    }
    const form = new FormData();
    form.append("file", file, file.name || "pasted.png");
    const told = await call("POST", "/api/uploads", { form });
    rememberUpload({ ...told, name: file.name || "pasted image" });
    go({ view: "upload", id: told.upload_id });
  } catch (error) {
    toast(error.message, { bad: true, seconds: 10 });
  } finally {
    work.stop();
  }
}

function listenForFiles() {
  const veil = h("div.drop-veil", { hidden: true }, h("p", null, "Drop the image to search with it"));
  document.body.append(veil);
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  window.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    const file = [...event.dataTransfer.files].find((f) => f.type.startsWith("image/"));
    if (file) upload(file);
    else toast("That is no image: drop a JPEG, PNG or WebP", { bad: true });
  });
  window.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (file) upload(file);
  });
}

/** Go to the filters, unfolding them on a narrow screen. */
function focusFilters() {
  const fold = document.querySelector(".side-toggle");
  if (fold?.offsetParent && fold.getAttribute("aria-expanded") === "false") fold.click();
  const first = [...document.querySelectorAll(".side-body :is(button, input, select, summary, a)")].find((e) => e.offsetParent);
  first?.focus();
}

function listenForKeys(current, file) {
  let leader = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (typing(event) || document.querySelector("dialog[open]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey) {
      if (undoLast()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (performance.now() - leader < 1200) {
      const tab = TABS.find(([, , key]) => key === event.key);
      leader = -Infinity;
      if (tab) {
        event.stopImmediatePropagation();
        return go(tab[0] === "search" ? lastSearch : { view: tab[0] });
      }
    }
    if (event.key === "g") leader = performance.now();
    else if (event.key === "?") showHelp(current().view);
    else if (event.key === "u") file.click();
    else if (event.key === "t") document.getElementById("theme").click();
    else if (event.key === "f") focusFilters();
  });
}
