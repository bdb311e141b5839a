// Keys: one table that is both what they do and the sheet that tells it.

import { ask } from "./dialogs.js";
import { h } from "./dom.js";
import { heading } from "./parts.js";

const SIZE_STEP = 1.15;
const PAN_PX = 80;

const tool = (name) => ({ brush }) => { brush.tool = name; };
const lastColour = ({ brush }) => { brush.colour = brush.recent[1] ?? brush.colour; };
const smaller = ({ brush }) => { brush.size = Math.min(brush.size / SIZE_STEP, brush.size - 0.5); };
const larger = ({ brush }) => { brush.size = Math.max(brush.size * SIZE_STEP, brush.size + 0.5); };
const undo = ({ session }) => session.undo();
const redo = ({ session }) => session.redo();
const move = (dx, dy) => ({ sheet }) => sheet.move(dx * PAN_PX, dy * PAN_PX);

/**
 * `keys` as `KeyboardEvent.key`; `ctrl` for Ctrl or ⌘; `shift` where it matters. `says` and `does` stand on the sheet, under
 * `group`; what has none is another key for the row above it.
 */
const TABLE = [
  { group: "Tools", says: "B", does: "pen", keys: ["b", "p"], act: tool("pen") },
  { group: "Tools", says: "E", does: "eraser", keys: ["e"], act: tool("eraser") },
  { group: "Tools", says: "H", does: "move the sheet", keys: ["h"], act: tool("hand") },
  { group: "Tools", says: "I", does: "take a colour from the sheet", keys: ["i"], act: tool("picker") },
  { group: "Tools", says: "X", does: "the colour before", keys: ["x"], act: lastColour },
  { group: "Tools", says: "[ ]", does: "smaller, larger brush", keys: ["["], act: smaller },
  { keys: ["]"], act: larger },
  { group: "Tools", says: "Alt 1 2 3", does: "back, middle, front layer", keys: [] },
  { group: "Strokes", says: "Ctrl Z", does: "undo my last stroke", keys: ["z"], ctrl: true, shift: false, act: undo },
  { group: "Strokes", says: "Ctrl Shift Z", does: "redo it", keys: ["z"], ctrl: true, shift: true, act: redo },
  { keys: ["y"], ctrl: true, act: redo },
  { group: "Sheet", says: "Space", does: "hold and drag to move it", keys: [] },
  { group: "Sheet", says: "Wheel Pinch", does: "zoom", keys: [] },
  { group: "Sheet", says: "+ −", does: "zoom in, out", keys: ["+", "="], act: ({ sheet }) => sheet.zoom(1.25) },
  { keys: ["-", "_"], act: ({ sheet }) => sheet.zoom(0.8) },
  { group: "Sheet", says: "0", does: "100 %", keys: ["0"], act: ({ sheet }) => sheet.actual() },
  { group: "Sheet", says: "1", does: "the whole sheet", keys: ["1"], act: ({ sheet }) => sheet.whole() },
  { group: "Sheet", says: "Arrows", does: "move it", keys: ["ArrowLeft"], act: move(1, 0) },
  { keys: ["ArrowRight"], act: move(-1, 0) },
  { keys: ["ArrowUp"], act: move(0, 1) },
  { keys: ["ArrowDown"], act: move(0, -1) },
  { group: "Room", says: "C", does: "chat", keys: ["c"], act: ({ panels }) => panels.toggle("chat") },
  { group: "Room", says: "U", does: "people", keys: ["u"], act: ({ panels }) => panels.toggle("people") },
  { group: "Room", says: "?", does: "this sheet", keys: ["?"], act: () => openHelp() },
];

/** Listens to the keys; `what` has `session`, `brush`, `sheet`, `panels` and `surface`. */
export function prepareKeys(what) {
  addEventListener("keydown", (event) => {
    if (isForSomethingElse(event)) return;
    const act = actOf(event, what);
    if (!act) return;
    act();
    event.preventDefault();
  });
  addEventListener("keyup", (event) => { if (event.key === " ") what.surface.space = false; });
  // A key that is let go elsewhere is up all the same.
  addEventListener("blur", () => { what.surface.space = false; });
}

function isForSomethingElse({ target, key }) {
  if (document.querySelector("dialog[open]")) return true;
  if (target.matches("textarea, select, input:not([type=range]):not([type=checkbox])")) return true;
  const walks = key.startsWith("Arrow") && (target.matches("input") || target.closest("[role=toolbar], [role=menu]"));
  return walks || (key === " " && target.matches("button, a, input"));
}

function actOf(event, what) {
  const ctrl = event.ctrlKey || event.metaKey;
  if (event.altKey) {
    // The digit itself: with Alt, some layouts write something else.
    const layer = /^Digit([123])$/.exec(event.code);
    return layer && !ctrl ? () => { what.brush.layer = Number(layer[1]) - 1; } : null;
  }
  if (event.key === " ") return () => { what.surface.space = true; };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const row = TABLE.find((each) => each.keys.includes(key) && (each.ctrl ?? false) === ctrl
    && (each.shift === undefined || each.shift === event.shiftKey));
  return row ? () => row.act(what) : null;
}

export function openHelp() {
  const groups = grouped();
  return ask((answer) => [
    heading("Keys and help", () => answer(null)),
    h("div", { class: "keys" }, [...groups].map(([group, rows]) => h("section", {}, h("h3", {}, group), h("dl", {}, rows.map(told))))),
    h("p", { class: "hint" }, "Two fingers move and zoom. A pen wins over the palm. Its other end erases. ",
      h("a", { href: "/about" }, "What Artnest keeps, and where")),
  ]);
}

const told = ({ says, does }) =>
  h("div", {}, h("dt", {}, says.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, does));

function grouped() {
  const groups = new Map();
  for (const row of TABLE) if (row.group) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}
