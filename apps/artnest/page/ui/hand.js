// The hand: what the surface felt becomes ink by the brush, or a word about why it cannot.

import { Shaper } from "../input/shaper.js";
import { toSheet } from "../render/view.js";
import { CURSOR } from "../wire/frames.js";
import { hexOf } from "./palette.js";
import { toast } from "./toast.js";
import { OBSTACLES } from "./words.js";

/** The longest trail of a steadied hand, in milliseconds. */
const STEADY_MS_MAX = 60;

export class Hand {
  #session;
  #renderer;
  #brush;
  #shaper = null;

  constructor(session, renderer, brush) {
    this.#session = session;
    this.#renderer = renderer;
    this.#brush = brush;
  }

  get tool() { return this.#brush.tool; }
  get fingersDraw() { return this.#brush.fingersDraw; }

  /** Puts the pen down. Returns whether it draws. */
  start(sample, erases) {
    const obstacle = this.#renderer.isShown(this.#brush.layer) ? this.#session.obstacle(this.#brush.layer) : "hidden";
    if (obstacle) {
      toast(this.#session.readOnly?.text || OBSTACLES[obstacle]);
      return false;
    }
    const stroke = this.#brush.strokeOf(erases);
    this.#shaper = new Shaper({ steadyMs: (this.#brush.steady / 100) * STEADY_MS_MAX, feels: this.#feels(sample, stroke) });
    this.#session.pencil.start(stroke, ...this.#place(this.#shaper.start(sample)));
    if (!stroke.eraser) this.#brush.used();
    this.#tip([]);
    this.hover(sample, CURSOR.drawing);
    return true;
  }

  move(sample) {
    const kept = this.#shaper.move(sample);
    if (kept) this.#session.pencil.move(...this.#place(kept));
    this.hover(sample, CURSOR.drawing);
  }

  /** Shows where the pen will probably be when this is on the screen. */
  foresee(samples) {
    this.#tip(samples.slice(0, 2));
  }

  end(sample) {
    const kept = sample && this.#shaper.end(sample);
    if (kept) this.#session.pencil.move(...this.#place(kept));
    this.#session.pencil.end();
    if (sample) this.hover(sample);
    this.#renderer.tip = null;
    this.#renderer.request();
    this.#session.drawn();
  }

  /** It was the palm. */
  cancel() {
    this.end(null);
    this.#session.undo();
  }

  hover(sample, state = CURSOR.pointing) {
    const [x, y] = this.#place({ ...sample, pressure: 0 });
    this.#session.point(x, y, state);
    this.onHover?.(sample);
  }

  away() {
    this.#session.point(0, 0, CURSOR.away);
    this.onHover?.(null);
  }

  /** Takes the colour under the pointer. */
  pick(sample) {
    const density = this.#renderer.density;
    const picture = this.#renderer.flatten(sample.x * density, sample.y * density, 1, 1);
    this.#brush.colour = hexOf(picture.getContext("2d").getImageData(0, 0, 1, 1).data);
  }

  #feels({ type }, { eraser }) {
    if (eraser || !this.#brush.feels) return "none";
    return type === "pen" ? "pen" : "speed";
  }

  /** A point of the stage as a point of the sheet. */
  #place({ x, y, pressure }) {
    const density = this.#renderer.density;
    return [...toSheet(this.#renderer.view, x * density, y * density), pressure];
  }

  #tip(samples) {
    const stroke = this.#session.pencil.stroke;
    if (!stroke) return;
    const pressure = stroke.points.at(-1);
    this.#renderer.tip = { stroke, foreseen: samples.flatMap(({ x, y }) => this.#place({ x, y, pressure })) };
    this.#renderer.request();
  }
}
