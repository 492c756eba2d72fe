// A field for a class: what is typed is completed from the classes there are; a new one is welcome, and said to be new.

import { knownClasses } from "./api.js";
import { classCss } from "./color.js";
import { fill, h } from "./dom.js";

let made = 0;

/** `onchoose(className)` hears what was chosen with Enter, a click, or the button. */
export function labelField({ onchoose }) {
  const id = `classes-${++made}`;
  let classes = [];
  let active = -1;
  const list = h("ul.options", { role: "listbox", id, "aria-label": "Classes" });
  const input = h("input", {
    type: "text",
    id: `${id}-field`,
    role: "combobox",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 200,
    placeholder: "car, traffic sign, …",
    "aria-expanded": "true",
    "aria-controls": id,
    "aria-autocomplete": "list",
  });
  const button = h("button.primary", { type: "button", disabled: true, onclick: () => choose() }, "Label");

  const options = () => [...list.querySelectorAll("[role=option]")];
  const typed = () => input.value.trim();
  const choose = (name = options()[active]?.dataset.name ?? typed()) => {
    if (name) onchoose(name);
  };
  const light = (index) => {
    active = index;
    options().forEach((option, i) => {
      option.setAttribute("aria-selected", String(i === index));
      if (i === index) {
        input.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    });
    if (index < 0) input.removeAttribute("aria-activedescendant");
  };
  const show = () => {
    const wanted = typed().toLowerCase();
    const first = classes.filter((c) => c.toLowerCase().startsWith(wanted));
    const later = classes.filter((c) => !c.toLowerCase().startsWith(wanted) && c.toLowerCase().includes(wanted));
    const found = [...first, ...later].slice(0, 50);
    const isNew = wanted && !classes.some((c) => c.toLowerCase() === wanted);
    fill(
      list,
      found.map((name, i) => row(name, `${id}-${i}`, h("span.swatch", { style: { background: classCss(name) } }), name)),
      isNew && row(typed(), `${id}-new`, h("span.swatch", { style: { background: classCss(typed()) } }), `${typed()} `, h("span.quiet", null, "new class")),
    );
    button.disabled = !wanted;
    // Enter takes the best completion, as in a shell; a name that is only the start of others can be picked below
    light(wanted && options().length ? 0 : -1);
  };
  const row = (name, rowId, ...content) =>
    h("li", { role: "option", id: rowId, "aria-selected": "false", data: { name }, onpointerdown: (e) => (e.preventDefault(), choose(name)) }, content);

  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    const n = options().length;
    if (event.key === "ArrowDown" && n) light((active + 1) % n);
    else if (event.key === "ArrowUp" && n) light((active - 1 + n) % n);
    else if (event.key === "Enter") choose();
    else return;
    event.preventDefault();
  });
  knownClasses().then((known) => {
    classes = known;
    show();
  });
  return { element: h("div.combo", null, h("label", { for: input.id }, "Class"), input, list), button, focus: () => input.focus() };
}
