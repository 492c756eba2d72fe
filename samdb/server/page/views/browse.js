// Browse: all images, narrowed by what they show.

import { get, imageUrl } from "../js/api.js";
import { count, fill, h } from "../js/dom.js";
import { Facets, filterChips, side } from "../js/facets.js";
import { Grid } from "../js/grid.js";
import { go, href } from "../js/route.js";
import { announce, emptyState } from "../js/talk.js";

/** The images of the last list, for "next" and "previous" in the image's view. */
export const lastList = { keys: [] };

/** Show the view in `main`. */
export function show(main, route, told) {
  let where = route.where;
  const choose = (next) => go({ view: "browse", where: next });
  const total = h("p.count", { id: "browse-count" });
  const chips = h("div.chip-line");
  const facets = new Facets(told, { onchange: choose });
  const grid = new Grid({
    label: "Images",
    kind: "images",
    load: async (cursor, signal) => {
      const answer = await get("/api/images", { where, limit: 60, cursor }, signal);
      total.textContent = `${count(answer.total, "image")}${where.length ? ` of ${told.totals.images.toLocaleString("en")}` : ""}`;
      return answer;
    },
    card: (image) => card(image, where),
    empty: () => emptyState("No image fits", "No image has a segment with all of these filters.", { action: { label: "Remove the filters", run: () => choose([]) } }),
    onload: (_, all) => {
      lastList.keys = all.map((image) => image.image_key);
      announce(`${total.textContent}, ${all.length} loaded`);
    },
  });
  fill(
    main,
    h(
      "div.split",
      null,
      side("Filters", facets.element),
      h("div.content", null, h("div.bar", null, h("h1", null, "Images"), total, chips, h("span.spacer"), grid.sizes), grid.element),
    ),
  );
  const refresh = () => {
    fill(chips, filterChips(where, choose));
    // pictures first: people look at them while the counting goes on
    grid.restart().finally(() => facets.update(where));
  };
  const relabelled = () => facets.update(where, { fresh: true });
  window.addEventListener("samdb:labelled", relabelled);
  refresh();
  return {
    update(next) {
      where = next.where;
      refresh();
      return true;
    },
    dispose() {
      window.removeEventListener("samdb:labelled", relabelled);
      facets.dispose();
      grid.dispose();
    },
  };
}

function card(image, where) {
  const name = image.image_id.split("/").pop();
  const bad = image.status !== "done";
  const told = Object.entries(image.attributes ?? {})
    .filter(([, v]) => typeof v === "string" && v !== "undefined")
    .slice(0, 3)
    .map(([, v]) => v);
  const words = bad ? `not read: ${image.reason ?? image.status}` : count(image.n_segments, "segment");
  const picture = bad
    ? h("div.thumb.broken", null, "not read")
    : h("img.thumb", { src: imageUrl(image.image_key, 384), alt: "", loading: "lazy", decoding: "async", style: { "aspect-ratio": `${image.width || 16} / ${image.height || 9}` } });
  return h(
    "li",
    null,
    h(
      "a.hit.image-card",
      { href: href({ view: "image", id: image.image_key, where }), tabindex: "-1", title: image.image_id },
      picture,
      h("span.card-title", null, name),
      h("span.card-line.quiet", null, words, told.length ? ` · ${told.join(", ")}` : ""),
    ),
  );
}
