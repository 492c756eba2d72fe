// What this browser knows of the images it uploaded: the server tells their size once, and shows them scaled down.

import { keep, kept } from "./kept.js";

const NAME = "uploads";

function read() {
  try {
    return JSON.parse(kept(NAME) ?? "{}");
  } catch {
    return {};
  }
}

/** Keep {upload_id, width, height, name, expires_in_s} until the server lets go of it. */
export function rememberUpload(told) {
  const now = Date.now();
  const held = Object.entries(read()).filter(([, upload]) => upload.until > now);
  const all = { ...Object.fromEntries(held), [told.upload_id]: { ...told, until: now + 24 * 3_600_000 } };
  keep(NAME, JSON.stringify(all));
}

/** What is known of an upload; null for one of another browser, and for all where nothing is kept. */
export function knownUpload(id) {
  return read()[id] ?? null;
}
