// The only place that asks the server. Every failure becomes an ApiError whose message says what to do next.

import { busyNote, notice, unlock } from "./talk.js";

const RETRIES = 4;

/** `status` 0 means that the server did not answer. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Whether an error only means that nobody waits for the answer any more. */
export const isAbort = (error) => error instanceof DOMException && error.name === "AbortError";

/**
 * Ask the API and return its JSON. `query` values may be lists; `body` is sent as JSON, `form` as it is.
 * A missing key is asked for and the request repeated; a busy server is asked again, a little later each time.
 */
export async function call(method, path, { query, body, form, signal } = {}) {
  for (let attempt = 0; ; attempt++) {
    const response = await send(method, path + queryText(query), { body, form, signal });
    if (response.ok) return response.status === 204 ? null : response.json();
    const error = await readError(response);
    if (response.status === 401 && path !== "/api/login") {
      await unlock(error.message);
      continue;
    }
    if ((response.status === 503 || response.status === 429) && attempt < RETRIES) {
      const seconds = Number(response.headers.get("Retry-After")) || 0.5 * 2 ** attempt;
      const done = busyNote(seconds);
      await pause(Math.min(seconds, 10) * 1000, signal).finally(done);
      continue;
    }
    throw error;
  }
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body, signal) => call("POST", path, { body, signal });

async function send(method, path, { body, form, signal }) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const payload = form ?? (body === undefined ? undefined : JSON.stringify(body));
  try {
    return await fetch(path, { method, headers, body: payload, signal, credentials: "same-origin" });
  } catch (error) {
    if (isAbort(error)) throw error;
    lost();
    throw new ApiError(0, "gone", "The server does not answer. Is `samdb serve` still running?");
  }
}

async function readError(response) {
  let told = null;
  try {
    told = (await response.json()).error;
  } catch {
    // not from the API: a proxy's page, say
  }
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim();
  return new ApiError(response.status, told?.code ?? "http", told?.message ?? fallback);
}

function queryText(query) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") params.append(name, one);
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("nobody waits", "AbortError"));
    });
  });
}

let waiting = false;

/** Say that the server is gone, look for it again every two seconds, and show the view anew once it is back. */
function lost() {
  if (waiting) return;
  waiting = true;
  const close = notice("The server does not answer. Is `samdb serve` still running? Trying again …");
  const look = async () => {
    try {
      if ((await fetch("/health/live")).ok) {
        waiting = false;
        close();
        window.dispatchEvent(new Event("samdb:back"));
        return;
      }
    } catch {
      // still gone
    }
    setTimeout(look, 2000);
  };
  setTimeout(look, 1000);
}

export const imageUrl = (key, side) => `/api/images/${encodeURIComponent(key)}/file${side ? `?side=${side}` : ""}`;
export const uploadUrl = (id, side) => `/api/uploads/${encodeURIComponent(id)}/file${side ? `?side=${side}` : ""}`;
export const cropUrl = (id, side = 192) => `/api/segments/${encodeURIComponent(id)}/crop?side=${side}`;

/** What the server is and holds; asked once, and again with `fresh`. */
let asked = null;
export function info({ fresh = false } = {}) {
  if (!asked || fresh) asked = get("/api/info").catch((error) => {
    asked = null;
    throw error;
  });
  return asked;
}

/** Every class that has a segment, most frequent first; for autocompletion. */
let classes = null;
export function knownClasses({ fresh = false } = {}) {
  if (!classes || fresh) {
    classes = get("/api/facets", { key: "class_name" }).then(
      (answer) => Object.keys(answer.counts.class_name ?? {}),
      () => ((classes = null), []),
    );
  }
  return classes;
}
