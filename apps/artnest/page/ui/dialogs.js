// Questions: a dialog that resolves to the answer, or to null when it was waved away.

import { h } from "./dom.js";
import { actsOf } from "./parts.js";

/** Asks with buttons: `acts` are `{ label, value, tone }`, the first is the one that Enter means. */
export function confirmed({ title, text, acts }) {
  return ask((answer) => {
    const buttons = acts.map(({ label, value, tone = "primary" }) =>
      h("button", { type: "button", class: tone, onclick: () => answer(value) }, label));
    return [h("h2", {}, title), h("p", {}, text), actsOf(() => answer(null), buttons)];
  });
}

/** Asks for a line of text. */
export function asked({ title, text, label, value = "", max, act, required = true }) {
  return ask((answer) => {
    const input = h("input", { value, maxlength: max, required, autocomplete: "off", "aria-label": label });
    const form = h("form", { method: "dialog", onsubmit: () => answer(input.value.trim() || null) },
      h("h2", {}, title), text ? h("p", {}, text) : null, h("label", { class: "field" }, label, input),
      h("div", { class: "acts" }, h("button", { class: "primary" }, act)));
    return [form];
  });
}

/** Shows a dialog with what `fill(answer)` gives; it closes with the answer. */
export function ask(fill) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "sheet" });
    let given = null;
    const answer = (value) => { given = value; dialog.close(); };
    dialog.append(...fill(answer));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(given);
    });
    closeOnBackdrop(dialog);
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function closeOnBackdrop(dialog) {
  dialog.addEventListener("pointerdown", (event) => { if (event.target === dialog) dialog.close(); });
}
