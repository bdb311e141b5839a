// The dock: tools, brush, colours, undo and redo, under the sheet where the thumbs are.

import { SIZE_MAX, SIZE_MIN } from "./brush.js";
import { byId, h } from "./dom.js";
import { nameOf, PIGMENTS } from "./palette.js";
import { iconButton, slider, toggle } from "./parts.js";
import { popover } from "./popover.js";

const TOOLS = [
  { name: "pen", label: "Pen", key: "B" },
  { name: "eraser", label: "Eraser", key: "E" },
  { name: "hand", label: "Move the sheet", key: "H" },
  { name: "picker", label: "Take a colour from the sheet", key: "I" },
];
/** The slider is logarithmic: the fine sizes matter most. */
const SLIDER_MAX = 1_000;

export function prepareDock(session, brush) {
  const tools = TOOLS.map(({ name, label, key }) => iconButton(name, label, {
    class: "tool", "data-tool": name, title: `${label} (${key})`, onclick: () => { brush.tool = name; },
  }));
  const dot = h("span", { class: "dot" });
  const width = h("output");
  const size = h("button", { class: "icon-button size", type: "button", "aria-label": "Brush" }, dot, width);
  const colour = h("button", { class: "icon-button colour", type: "button", title: "Colours" }, h("span", { class: "swatch" }));
  const recent = h("div", { class: "recent", role: "group", "aria-label": "Recent colours" });
  const undo = iconButton("undo", "Undo", { title: "Undo (Ctrl Z)", onclick: () => session.undo() });
  const redo = iconButton("redo", "Redo", { title: "Redo (Ctrl Shift Z)", onclick: () => session.redo() });
  const layers = iconButton("layers", "Layers", { class: "layers-open" });

  const groups = [tools, [size, colour, recent], [undo, redo, layers]];
  byId("dock").append(...groups.map((group) => h("div", { class: "group" }, group)));
  byId("dock").addEventListener("keydown", walk);
  // After a click the keys are the sheet's again: space moves it, and does not press the button once more.
  byId("dock").addEventListener("click", ({ detail, target }) => {
    if (detail > 0 && target.closest("button")?.ariaExpanded !== "true") byId("stage").focus({ preventScroll: true });
  });
  popover(size, brushPanel(brush));
  popover(colour, colourPanel(brush));
  popover(layers, byId("layers"), { isDocked: true });

  const show = () => {
    byId("page").querySelector(".room").dataset.tool = brush.tool;
    for (const tool of tools) tool.setAttribute("aria-pressed", String(tool.dataset.tool === brush.tool));
    // What the dot shows is a hint of the size; the ring at the pointer shows it exactly.
    dot.style.scale = String(0.14 + 0.86 * Math.sqrt(brush.size / SIZE_MAX));
    width.textContent = String(brush.size);
    size.title = `Brush: ${brush.size} wide`;
    colour.querySelector(".swatch").style.setProperty("--colour", brush.colour);
    colour.setAttribute("aria-label", `Colour: ${nameOf(brush.colour)}`);
    recent.replaceChildren(...brush.recent.slice(0, 5).map((hex) => swatch(hex, brush)));
  };
  const showState = () => {
    const watches = session.role === "viewer";
    byId("dock").classList.toggle("watches", watches);
    undo.disabled = watches || session.replica.undoable === null;
    redo.disabled = watches || session.replica.redoable === null;
  };
  brush.news.on("change", show);
  session.news.on("state", showState);
  show();
  showState();
}

function swatch(hex, brush) {
  const chosen = hex === brush.colour;
  const button = h("button", {
    class: "swatch", type: "button", "aria-label": nameOf(hex), title: nameOf(hex), "aria-pressed": String(chosen),
    onclick: () => { brush.colour = hex; },
  });
  button.style.setProperty("--colour", hex);
  return button;
}

function colourPanel(brush) {
  const grid = h("div", { class: "pigments", role: "group", "aria-label": "Pigments" });
  const own = h("input", { type: "color", "aria-label": "Another colour", oninput: () => { brush.colour = own.value; } });
  const opacity = slider("Opacity", 1, 100, (value) => brush.change({ opacity: value }));
  const show = () => {
    grid.replaceChildren(...PIGMENTS.map(([, hex]) => swatch(hex, brush)));
    own.value = brush.colour;
    opacity.show(brush.opacity, `${brush.opacity} %`);
  };
  brush.news.on("change", show);
  show();
  return h("div", { class: "panel pop colours", role: "dialog", "aria-label": "Colours" },
    grid, h("label", { class: "own" }, own, h("span", {}, "Another colour")), opacity.element);
}

function brushPanel(brush) {
  const ratio = SIZE_MAX / SIZE_MIN;
  const size = slider("Size", 0, SLIDER_MAX, (value) => { brush.size = SIZE_MIN * ratio ** (value / SLIDER_MAX); });
  const steady = slider("Steady hand", 0, 100, (value) => brush.change({ steady: value }));
  const feels = toggle("Width by pressure", "Of the pen; of the speed without one.", {
    onchange: () => brush.change({ feels: feels.input.checked }),
  });
  const fingers = toggle("Fingers draw", "Off: one finger moves the sheet.", {
    onchange: () => brush.change({ fingersDraw: fingers.input.checked }),
  });
  const show = () => {
    size.show((SLIDER_MAX * Math.log(brush.size / SIZE_MIN)) / Math.log(ratio), String(brush.size));
    steady.show(brush.steady, `${brush.steady} %`);
    feels.input.checked = brush.feels;
    fingers.input.checked = brush.fingersDraw;
  };
  brush.news.on("change", show);
  show();
  return h("div", { class: "panel pop", role: "dialog", "aria-label": "Brush" },
    size.element, steady.element, feels.element, fingers.element);
}

/** The arrow keys walk along the dock, as along any toolbar. */
function walk(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || event.target.matches("input, select")) return;
  const buttons = [...byId("dock").querySelectorAll("button:not(:disabled)")].filter((button) => button.offsetParent);
  const next = (buttons.indexOf(event.target) + step + buttons.length) % buttons.length;
  buttons[next].focus();
  event.preventDefault();
}
