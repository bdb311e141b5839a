// The three layers: which one is drawn on, which are seen (by oneself), which are locked (for everybody).

import { byId, h } from "./dom.js";
import { iconButton } from "./parts.js";

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
    iconButton(visible ? "eye" : "closed", `${visible ? "Hide" : "Show"} ${name}`, {
      class: "small", title: visible ? "Hide, for me" : "Show", onclick: () => { renderer.showLayer(layer, !visible); show(); },
    }),
    session.isOwner || locked ? lockOf(layer, locked, session) : null);
}

/** Everybody sees that a layer is locked; owners can change it. */
function lockOf(layer, locked, session) {
  return iconButton(locked ? "lock" : "unlock", `${locked ? "Unlock" : "Lock"} ${LAYER_NAMES[layer]}`, {
    class: "small", title: locked ? "Locked: only owners draw here" : "Lock, for everybody",
    disabled: !session.isOwner, onclick: () => session.lock(layer, !locked),
  });
}
