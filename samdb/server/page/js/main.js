// Starts the page: one view at a time, chosen by the address.

import { info, isAbort } from "./api.js";
import { fill } from "./dom.js";
import { parse } from "./route.js";
import { buildShell, markTab, tellStore } from "./shell.js";
import { emptyState, errorState, working } from "./talk.js";

const TITLES = { browse: "Browse", image: "Image", upload: "Uploaded image", search: "Search", bank: "Bank", map: "Map" };
const LOADERS = {
  browse: () => import("../views/browse.js"),
  image: () => import("../views/image.js"),
  upload: () => import("../views/image.js"),
  search: () => import("../views/search.js"),
  bank: () => import("../views/bank.js"),
  map: () => import("../views/map.js"),
};

let route = parse(location.hash);
/** The view on show: {name, update(route) -> whether it could, dispose()} */
let shown = null;
let turn = 0;

/** Show what the address says; a view that is already there is told instead of made anew. */
async function show({ fresh = false } = {}) {
  const main = document.getElementById("main");
  const mine = ++turn;
  const before = route;
  route = parse(location.hash);
  markTab(route);
  document.title = `${TITLES[route.view]} · samdb`;
  if (!fresh && shown && before.view === route.view && before.id === route.id && shown.update?.(route)) return;
  shown?.dispose?.();
  shown = null;
  const slow = setTimeout(() => mine === turn && !shown && fill(main, working("Loading …").element), 250);
  try {
    const [told, module] = await Promise.all([info({ fresh }), LOADERS[route.view]()]);
    if (mine !== turn) return;
    tellStore(told);
    if (!told.totals.segments && route.view !== "upload" && route.view !== "bank") fill(main, nothingYet(told));
    else shown = module.show(main, route, told);
  } catch (error) {
    if (mine === turn && !isAbort(error)) fill(main, errorState(error, () => show({ fresh: true })));
  } finally {
    clearTimeout(slow);
  }
  if (before.view !== route.view || before.id !== route.id) main.focus({ preventScroll: true });
}

function nothingYet(told) {
  return emptyState(
    "This store is empty",
    `There are no segments in ${told.store} yet. Point samdb at a folder of images (BDD100K, COCO or plain), then reload this page.${told.active_bank ? " Or upload a picture: what is on it is named by the bank that comes with samdb." : ""}`,
    { command: "samdb ingest PATH", action: { label: "Reload", run: () => show({ fresh: true }) } },
  );
}

buildShell(() => route);
window.addEventListener("hashchange", () => show());
window.addEventListener("samdb:route", () => show());
window.addEventListener("samdb:back", () => show({ fresh: true }));
await show();
performance.mark("samdb:ready");
document.documentElement.dataset.ready = "true";
// the other views come while nobody waits, so that the first click on a tab needs no more files
const idle = window.requestIdleCallback ?? ((run) => setTimeout(run, 500));
idle(() => Object.values(LOADERS).forEach((load) => load().catch(() => {})));
