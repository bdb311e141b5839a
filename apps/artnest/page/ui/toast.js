// A short word that goes away by itself.

import { byId, h } from "./dom.js";

const SHOWN_MS = 4_500;

export function toast(text) {
  const shown = h("p", { class: "toast" }, text);
  // The same word twice is said once.
  for (const other of byId("toasts").children) if (other.textContent === text) other.remove();
  byId("toasts").append(shown);
  setTimeout(() => shown.remove(), SHOWN_MS);
}
