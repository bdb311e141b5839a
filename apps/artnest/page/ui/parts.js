// Parts that several panels and dialogs are made of.

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** A button that shows only an icon; `label` is its name, and its hint where no `title` says more. */
export const iconButton = (name, label, { class: kind = "", ...attributes } = {}) =>
  h("button", { type: "button", class: `icon-button ${kind}`, "aria-label": label, title: label, ...attributes }, icon(name));

/** The head of a dialog, with a cross to close it. */
export const heading = (title, close) => h("header", {}, h("h2", {}, title), iconButton("close", "Close", { onclick: close }));

/** A switch with a word about what it does: `{ element, input }`. */
export function toggle(label, hint, attributes = {}) {
  const input = h("input", { type: "checkbox", role: "switch", ...attributes });
  return { input, element: h("label", { class: "switch" }, input, h("span", {}, label, h("small", {}, hint))) };
}

/** A slider with its value in words: `{ element, show(value, text) }`. */
export function slider(label, min, max, onInput) {
  const input = h("input", { type: "range", min, max, "aria-label": label, oninput: () => onInput(Number(input.value)) });
  const output = h("output");
  return {
    element: h("label", { class: "slider" }, h("span", {}, label), output, input),
    show(value, text) {
      input.value = String(Math.round(value));
      input.setAttribute("aria-valuetext", text);
      output.textContent = text;
    },
  };
}

/** The buttons at the end of a dialog; `way` is what leads out of it without doing anything. */
export const actsOf = (way, ...acts) =>
  h("div", { class: "acts" }, h("button", { type: "button", class: "quiet", onclick: way }, "Cancel"), acts.flat());
