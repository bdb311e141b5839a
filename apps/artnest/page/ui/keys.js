// Keys: one table that is both what they do and the sheet that tells it.

import { ask } from "./dialogs.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

const SIZE_STEP = 1.15;
const PAN_PX = 80;

/** `keys` as `KeyboardEvent.key`, with `ctrl` for Ctrl or ⌘; `says` is how they are shown. */
const TABLE = [
  { group: "Tools", says: "B", keys: ["b", "p"], does: "pen", act: ({ brush }) => { brush.tool = "pen"; } },
  { group: "Tools", says: "E", keys: ["e"], does: "eraser", act: ({ brush }) => { brush.tool = "eraser"; } },
  { group: "Tools", says: "H", keys: ["h"], does: "move the sheet", act: ({ brush }) => { brush.tool = "hand"; } },
  { group: "Tools", says: "I", keys: ["i"], does: "take a colour from the sheet", act: ({ brush }) => { brush.tool = "picker"; } },
  { group: "Tools", says: "X", keys: ["x"], does: "the colour before", act: ({ brush }) => { brush.colour = brush.recent[1] ?? brush.colour; } },
  { group: "Tools", says: "[  ]", keys: ["["], does: "smaller, larger brush", act: ({ brush }) => { brush.size = Math.min(brush.size / SIZE_STEP, brush.size - 0.5); } },
  { keys: ["]"], act: ({ brush }) => { brush.size = Math.max(brush.size * SIZE_STEP, brush.size + 0.5); } },
  { group: "Tools", says: "Alt 1 2 3", keys: [], does: "back, middle, front layer" },
  { group: "Strokes", says: "Ctrl Z", keys: ["z"], ctrl: true, shift: false, does: "undo my last stroke", act: ({ session }) => session.undo() },
  { group: "Strokes", says: "Ctrl Shift Z", keys: ["z"], ctrl: true, shift: true, does: "redo it", act: ({ session }) => session.redo() },
  { keys: ["y"], ctrl: true, act: ({ session }) => session.redo() },
  { group: "Sheet", says: "Space", keys: [], does: "hold and drag to move it" },
  { group: "Sheet", says: "Wheel, pinch", keys: [], does: "zoom" },
  { group: "Sheet", says: "+  −", keys: ["+", "="], does: "zoom in, out", act: ({ sheet }) => sheet.zoom(1.25) },
  { keys: ["-", "_"], act: ({ sheet }) => sheet.zoom(0.8) },
  { group: "Sheet", says: "0", keys: ["0"], does: "100 %", act: ({ sheet }) => sheet.actual() },
  { group: "Sheet", says: "1", keys: ["1"], does: "the whole sheet", act: ({ sheet }) => sheet.whole() },
  { group: "Sheet", says: "Arrows", keys: ["ArrowLeft"], does: "move it", act: ({ sheet }) => sheet.move(PAN_PX, 0) },
  { keys: ["ArrowRight"], act: ({ sheet }) => sheet.move(-PAN_PX, 0) },
  { keys: ["ArrowUp"], act: ({ sheet }) => sheet.move(0, PAN_PX) },
  { keys: ["ArrowDown"], act: ({ sheet }) => sheet.move(0, -PAN_PX) },
  { group: "Room", says: "C", keys: ["c"], does: "chat", act: ({ panels }) => panels.toggle("chat") },
  { group: "Room", says: "U", keys: ["u"], does: "people", act: ({ panels }) => panels.toggle("people") },
  { group: "Room", says: "?", keys: ["?"], does: "this sheet", act: () => openHelp() },
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
  const groups = Map.groupBy?.(TABLE.filter((row) => row.group), (row) => row.group) ?? grouped();
  return ask((answer) => [
    h("header", {}, h("h2", {}, "Keys and help"),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => answer(null) }, icon("close"))),
    h("div", { class: "keys" }, [...groups].map(([group, rows]) => h("section", {}, h("h3", {}, group),
      h("dl", {}, rows.map(({ says, does }) => h("div", {}, h("dt", {}, says.split(" ").map((key) => key && h("kbd", {}, key))), h("dd", {}, does))))))),
    h("p", { class: "hint" }, "Two fingers move and zoom. A pen wins over the palm. Its other end erases. ",
      h("a", { href: "/about" }, "What Artnest keeps, and where")),
  ]);
}

function grouped() {
  const groups = new Map();
  for (const row of TABLE) if (row.group) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return groups;
}
