// The three layers: which one is drawn on, which are seen (by oneself), which are locked (for everybody).

import { byId, h } from "./dom.js";
import { icon } from "./icons.js";

export const LAYER_NAMES = ["Back", "Middle", "Front"];

export function prepareLayers(session, renderer, brush) {
  let shown = "";
  const show = () => {
    const locks = session.drawing.layers.map(({ locked }) => locked);
    const state = JSON.stringify([brush.layer, session.isOwner, locks, [0, 1, 2].map((layer) => renderer.isShown(layer))]);
    if (state === shown) return;
    shown = state;
    const focused = byId("layers").contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    byId("layers").replaceChildren(
      h("h2", {}, "Layers"),
      // The front one stands on top, as it lies.
      h("ul", {}, [2, 1, 0].map((layer) => row(layer, session, renderer, brush, show))),
    );
    if (focused) byId("layers").querySelector(`[aria-label="${focused}"]`)?.focus();
  };
  brush.news.on("change", show);
  session.news.on("state", show);
  show();
}

function row(layer, session, renderer, brush, show) {
  const name = LAYER_NAMES[layer];
  const visible = renderer.isShown(layer);
  const { locked } = session.drawing.layers[layer];
  return h("li", { class: "layer", "data-hidden": String(!visible), "data-locked": String(locked) },
    h("button", {
      type: "button", class: "layer-name", "aria-label": `Draw on ${name}`, "aria-pressed": String(layer === brush.layer),
      title: `${name} (Alt ${layer + 1})`, onclick: () => { brush.layer = layer; },
    }, h("span", { class: "leaf" }), name),
    h("button", {
      type: "button", class: "icon-button small", "aria-label": `${visible ? "Hide" : "Show"} ${name}`, title: visible ? "Hide, for me" : "Show",
      onclick: () => { renderer.showLayer(layer, !visible); show(); },
    }, icon(visible ? "eye" : "closed")),
    session.isOwner || locked
      ? h("button", {
        type: "button", class: "icon-button small", disabled: !session.isOwner, "aria-label": `${locked ? "Unlock" : "Lock"} ${name}`,
        title: locked ? "Locked: only owners draw here" : "Lock, for everybody", onclick: () => session.lock(layer, !locked),
      }, icon(locked ? "lock" : "unlock"))
      : null);
}
