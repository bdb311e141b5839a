// A panel that a button opens and that goes when one looks elsewhere: a click outside, Escape, or the button again.

import { byId } from "./dom.js";

let open = null;

/**
 * Ties `panel` to `button`. Panels that have no place yet are put beside the button; `isDocked` ones stay where they are
 * and are only shown and hidden.
 */
export function popover(button, panel, { isDocked = false } = {}) {
  button.setAttribute("aria-haspopup", "dialog");
  button.setAttribute("aria-expanded", "false");
  if (!isDocked) {
    panel.hidden = true;
    byId("page").querySelector("main").append(panel);
  }
  const entry = { button, panel, isDocked };
  button.addEventListener("click", () => {
    if (open === entry) closePopover();
    else openPopover(entry);
  });
}

export function closePopover() {
  if (!open) return;
  const { button, panel, isDocked } = open;
  open = null;
  button.setAttribute("aria-expanded", "false");
  panel.classList.remove("open");
  if (!isDocked) panel.hidden = true;
  if (panel.contains(document.activeElement)) button.focus();
}

function openPopover(entry) {
  closePopover();
  open = entry;
  const { button, panel, isDocked } = entry;
  button.setAttribute("aria-expanded", "true");
  panel.hidden = false;
  panel.classList.add("open");
  if (!isDocked) place(button, panel);
  panel.querySelector("input, button, [tabindex]")?.focus({ preventScroll: true });
}

/** Above or below the button, wherever there is room, and within the window. */
function place(button, panel) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = panel;
  const left = Math.min(Math.max(at.left + at.width / 2 - width / 2, 10), innerWidth - width - 10);
  const above = at.top - height - 12;
  panel.style.left = `${left}px`;
  panel.style.top = `${above >= 10 ? above : Math.min(at.bottom + 12, innerHeight - height - 10)}px`;
}

addEventListener("pointerdown", (event) => {
  if (open && !open.panel.contains(event.target) && !open.button.contains(event.target)) closePopover();
}, { capture: true });
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !open) return;
  event.stopPropagation();
  closePopover();
}, { capture: true });
addEventListener("resize", closePopover);
