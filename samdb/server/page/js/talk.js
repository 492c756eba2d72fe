// What the page says beside its views: live region, toasts, notices, the key form, help, errors.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const at = (id) => document.getElementById(id);

/** Tell readers of the screen something, quietly. */
export function announce(text) {
  at("live").textContent = text;
}

/**
 * A short message below; `action` is {label, run}. It stays `seconds`, longer while someone points at it.
 * Returns a function that takes it away.
 */
export function toast(text, { action = null, seconds = action ? 12 : 4, bad = false } = {}) {
  let timer = 0;
  const close = () => {
    clearTimeout(timer);
    element.remove();
  };
  const start = () => (timer = setTimeout(close, seconds * 1000));
  const element = h(
    bad ? "div.toast.bad" : "div.toast",
    { onpointerenter: () => clearTimeout(timer), onpointerleave: start, onfocusin: () => clearTimeout(timer), onfocusout: start },
    h("span", null, text),
    action && h("button.link", { type: "button", onclick: () => (close(), action.run()) }, action.label),
    h("button.bare", { type: "button", "aria-label": "Dismiss", onclick: close }, icon("close")),
  );
  at("toasts").append(element);
  start();
  return close;
}

/** A line across the page that stays until the returned function is called. */
export function notice(text) {
  const place = at("notice");
  fill(place, text);
  place.hidden = false;
  return () => {
    place.hidden = true;
  };
}

/** Say that the server is busy and when it is asked again; returns what ends it. */
export function busyNote(seconds) {
  return toast(`The server is busy: trying again in ${seconds < 1 ? "a moment" : `${Math.round(seconds)} s`}`, { seconds: 60 });
}

/** Something that takes long: what is happening and for how many seconds. Returns {element, stop}. */
export function working(text) {
  const clock = h("span.quiet", { "aria-hidden": "true" });
  const started = performance.now();
  const timer = setInterval(() => {
    const s = Math.floor((performance.now() - started) / 1000);
    clock.textContent = s ? `${s} s` : "";
  }, 500);
  const element = h("div.working", { role: "status" }, h("span.spinner", { "aria-hidden": "true" }), h("span", null, text), clock);
  return { element, stop: () => (clearInterval(timer), element.remove()) };
}

/** A place that would be empty: what it means and what to do. `command` can be copied. */
export function emptyState(title, text, { command = null, action = null } = {}) {
  return h(
    "div.empty",
    null,
    h("h2", null, title),
    text && h("p", null, text),
    command && commandLine(command),
    action && h("button.primary", { type: "button", onclick: action.run }, action.label),
  );
}

/** What went wrong, and a way to try again. */
export function errorState(error, retry) {
  return h(
    "div.empty.failed",
    { role: "alert" },
    h("h2", null, error.status === 0 ? "The server is gone" : "That did not work"),
    h("p", null, error.message),
    retry && h("button", { type: "button", onclick: retry }, "Try again"),
  );
}

/** A command that can be copied. */
export function commandLine(command) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      toast("Copied");
    } catch {
      toast("The browser does not let this page copy: select the command instead", { bad: true });
    }
  };
  return h("div.command", null, h("code", null, command), h("button.bare", { type: "button", "aria-label": "Copy the command", onclick: copy }, icon("copy")));
}

/** A dialog with a heading; returns it opened. It is removed when it closes. */
export function dialog(title, ...children) {
  const close = h("button.bare", { type: "button", "aria-label": "Close", onclick: () => box.close() }, icon("close"));
  const box = h("dialog", { "aria-labelledby": "dialog-title" }, h("div.dialog-head", null, h("h2", { id: "dialog-title" }, title), close), ...children);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

let asking = null;

/** Ask for the API key until the server takes it; every request that needs it waits for the same form. */
export function unlock() {
  asking ??= new Promise((resolve) => {
    const field = h("input", { type: "password", id: "api-key", autocomplete: "current-password", required: true });
    const problem = h("p.bad-text", { role: "alert" });
    const form = h(
      "form.stack",
      null,
      h("p", null, "This server was started with an API key."),
      h("label", { for: "api-key" }, "API key"),
      field,
      problem,
      h("button.primary", { type: "submit" }, "Open"),
    );
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      problem.textContent = "";
      try {
        const answer = await fetch("/api/login", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ key: field.value }),
        });
        if (answer.ok) {
          accepted = true;
          box.close();
          return;
        }
        problem.textContent = answer.status === 401 || answer.status === 403 ? "That is not the key." : `The server answered ${answer.status}.`;
      } catch {
        problem.textContent = "The server does not answer.";
      }
      field.select();
    });
    let accepted = false;
    const box = dialog("API key", form);
    box.classList.add("key-form");
    // without the key there is nothing to see: Escape asks again
    box.addEventListener("close", () => {
      asking = null;
      resolve(accepted);
    });
    field.focus();
  });
  return asking;
}
