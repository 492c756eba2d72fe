// Naming segments: the request, the undo, and who must know.

import { knownClasses, post } from "./api.js";
import { count } from "./dom.js";
import { toast } from "./talk.js";

/** What can still be undone, the last one last: {undo_id, before}. */
const done = [];

/**
 * Give segments a class (null takes it away). `before` maps each id to its class until now. Whoever shows
 * segments hears "samdb:labelled" with {classes: Map(id -> class)}.
 */
export async function label(before, className) {
  const ids = [...before.keys()];
  const { changed, undo_id } = await post("/api/labels", { segment_ids: ids, class_name: className });
  const step = { undo_id, before };
  done.push(step);
  tell(new Map(ids.map((id) => [id, className])));
  const words = className === null ? `Took the class of ${count(changed, "segment")} away` : `Labelled ${count(changed, "segment")} as ${className}`;
  step.close = toast(words, { action: { label: "Undo", run: () => undo(step) } });
}

/** Undo the last labelling; false when there is none. */
export function undoLast() {
  if (!done.length) return false;
  undo(done[done.length - 1]);
  return true;
}

async function undo(step) {
  if (!done.includes(step)) return;
  done.splice(done.indexOf(step), 1);
  step.close?.();
  try {
    const { changed } = await post("/api/labels/undo", { undo_id: step.undo_id });
    tell(step.before);
    toast(`Undone: ${count(changed, "segment")} as before`);
  } catch (error) {
    toast(error.message, { bad: true, seconds: 10 });
  }
}

function tell(classes) {
  knownClasses({ fresh: true });
  window.dispatchEvent(new CustomEvent("samdb:labelled", { detail: { classes } }));
}
