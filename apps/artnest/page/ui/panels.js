// The panels at the side: at most one is open.

import { byId } from "./dom.js";

/** `panels` names each with what to do when it opens; `people` has `#people` and `#people-open`. */
export function preparePanels(panels) {
  const names = Object.keys(panels);
  const set = (name, open) => {
    byId(name).hidden = !open;
    byId(`${name}-open`).setAttribute("aria-expanded", String(open));
    if (open) panels[name]();
  };
  const toggle = (name) => {
    const opens = byId(name).hidden;
    for (const other of names) if (other !== name) set(other, false);
    set(name, opens);
    if (!opens) byId("stage").focus({ preventScroll: true });
  };
  for (const name of names) byId(`${name}-open`).addEventListener("click", () => toggle(name));
  // Wherever the focus is: it stays on the button that opened a panel.
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    const open = names.find((name) => !byId(name).hidden);
    if (open) toggle(open);
  });
  return { toggle };
}
