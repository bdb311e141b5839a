// The brush in one's hand: tool, colour, size, how steady; kept in the browser between visits.

import { News } from "../session/news.js";
import { rgbOf } from "./palette.js";

const STORED = "artnest-brush";
export const SIZE_MIN = 1;
export const SIZE_MAX = 400;
const RECENT_MAX = 8;

const FRESH = {
  colour: "#1b1b1f", opacity: 100, penSize: 8, eraserSize: 48, steady: 30, feels: true, fingersDraw: true,
  recent: ["#1b1b1f", "#2b45c4", "#e2432b", "#f6a51f", "#12808a"],
};

/** News: `change`. */
export class Brush {
  news = new News();
  #tool = "pen";
  #before = "pen";
  #layer = 1;
  #kept = { ...FRESH, ...stored() };

  get tool() { return this.#tool; }
  get layer() { return this.#layer; }
  get colour() { return this.#kept.colour; }
  get opacity() { return this.#kept.opacity; }
  get steady() { return this.#kept.steady; }
  get feels() { return this.#kept.feels; }
  get fingersDraw() { return this.#kept.fingersDraw; }
  get recent() { return this.#kept.recent; }
  get size() { return this.#tool === "eraser" ? this.#kept.eraserSize : this.#kept.penSize; }

  set tool(tool) {
    if (tool === this.#tool) return;
    this.#before = this.#tool;
    this.#tool = tool;
    this.news.tell("change");
  }

  set layer(layer) {
    this.#layer = layer;
    this.news.tell("change");
  }

  set size(size) {
    const within = Math.min(Math.max(Math.round(size * 2) / 2, SIZE_MIN), SIZE_MAX);
    this.#keep(this.#tool === "eraser" ? { eraserSize: within } : { penSize: within });
  }

  /** Choosing a colour means to draw with it. */
  set colour(colour) {
    this.#keep({ colour });
    if (this.#tool === "eraser" || this.#tool === "picker") this.tool = "pen";
  }

  /** Sets `opacity`, `steady`, `feels` or `fingersDraw`. */
  change(fields) { this.#keep(fields); }

  /** Back to the tool before this one. */
  back() { this.tool = this.#before; }

  /** A colour that was drawn with moves to the front of the recent ones. */
  used() {
    const { colour, recent } = this.#kept;
    if (recent[0] === colour) return;
    this.#keep({ recent: [colour, ...recent.filter((other) => other !== colour)].slice(0, RECENT_MAX) });
  }

  /** What the wire calls a brush; `erases` where the other end of a pen is down. */
  strokeOf(erases) {
    const eraser = erases || this.#tool === "eraser";
    const alpha = eraser ? 255 : Math.max(Math.round((this.opacity / 100) * 255), 1);
    const size = eraser ? this.#kept.eraserSize : this.#kept.penSize;
    return { layer: this.#layer, eraser, rgba: [...rgbOf(this.colour), alpha], size };
  }

  #keep(fields) {
    Object.assign(this.#kept, fields);
    localStorage.setItem(STORED, JSON.stringify(this.#kept));
    this.news.tell("change");
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch {
    return {};
  }
}
