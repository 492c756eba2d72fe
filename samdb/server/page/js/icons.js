// Line icons on a 24x24 board, drawn here: nothing is fetched.

const PATHS = {
  up: "M7 11v9H4v-9zM7 11l4-8c2 0 3 1 3 3l-1 4h6c1 0 2 1 2 2l-2 6c0 1-1 2-2 2H7",
  down: "M7 13V4H4v9zM7 13l4 8c2 0 3-1 3-3l-1-4h6c1 0 2-1 2-2l-2-6c0-1-1-2-2-2H7",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 13l4 4L19 7",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15 9h.01",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  help: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 18h.01M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5L19 19M5 19l1.5-1.5M17.5 6.5L19 5",
  moon: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  tag: "M3 4h8l10 9-8 8-10-9zM7.5 8.5h.01",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  filter: "M4 6h16M7 12h10M10 18h4",
  pointer: "M5 3l14 8-6 2-2 6z",
  box: "M4 4h4M4 4v4M20 4h-4M20 4v4M4 20h4M4 20v-4M20 20h-4M20 20v-4",
  dot: "M12 3v5M12 16v5M3 12h5M16 12h5M12 11v2M11 12h2",
  lasso: "M7 16c-3-1-5-3-5-6 0-4 4-6 9-6s11 2 11 6-5 6-10 6c-2 0-3 1-3 2s1 2 2 2 2 1 2 2M7 14a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  hand: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
  fit: "M4 9V4h5M4 4l6 6M20 15v5h-5M20 20l-6-6",
  save: "M12 4v11M7 10l5 5 5-5M4 20h16",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  eye: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7-10-7-10-7zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  spark: "M12 3l2 6 6 3-6 3-2 6-2-6-6-3 6-3z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
};

const SVG = "http://www.w3.org/2000/svg";

/** An icon, hidden from readers: whoever uses it gives the words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) svg.setAttribute(k, v);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
