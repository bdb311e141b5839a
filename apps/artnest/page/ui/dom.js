// Small words for making elements. Text only ever becomes text nodes: nothing that came from another person can
// become markup of this page.

import { icon } from "./icons.js";

/** Makes an element: `h("button", { class: "x", onclick }, "text", child, null)`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Shows a page from its template, with its icons. */
export function show(template) {
  const page = byId("page");
  page.replaceChildren(byId(template).content.cloneNode(true));
  for (const element of page.querySelectorAll("[data-icon]")) element.prepend(icon(element.dataset.icon));
  return page;
}
