// The stroke that is being drawn here: its points show at once and join the operation that goes out next.

import { quantise } from "../wire/bytes.js";

/** Farther off the sheet than this there is nothing, and the wire has no words for it. */
const REACH = 32_000;

export class Pencil {
  #replica;
  #outbox;
  /** The number of the stroke, or null. */
  #number = null;
  #points = 0;
  #brush = null;

  constructor(replica, outbox) {
    this.#replica = replica;
    this.#outbox = outbox;
  }

  /** The stroke that is being drawn, or null. */
  get stroke() {
    return this.#number === null ? null : this.#replica.ownStroke(this.#number) ?? null;
  }

  /** Begins a stroke with a brush `{ layer, eraser, rgba, size }`. */
  start(brush, x, y, pressure) {
    this.end();
    this.#brush = brush;
    const op = { kind: "begin", ...brush, ends: false, points: point(x, y, pressure) };
    this.#number = this.#outbox.push(op);
    this.#points = 1;
    this.#replica.draft(this.#number, op);
  }

  /** Goes on to a point. A point at the same place is none. */
  move(x, y, pressure) {
    const stroke = this.stroke;
    if (!stroke) return;
    const next = point(x, y, pressure);
    const last = stroke.points.length - 3;
    if (next[0] === stroke.points[last] && next[1] === stroke.points[last + 1]) return;
    // A stroke has an end somewhere; whoever draws on begins another one at the same place.
    if (this.#points >= POINTS_MAX) this.start(this.#brush, ...stroke.points.slice(last));
    this.#points++;
    this.#replica.drawing.grow(this.stroke, next, false);
    this.#opFor(next[0], next[1]).points.push(...next);
  }

  end() {
    const stroke = this.stroke;
    if (stroke) {
      const last = stroke.points.length - 3;
      this.#opFor(stroke.points[last], stroke.points[last + 1]).ends = true;
      this.#replica.drawing.finish(stroke);
    }
    this.#number = null;
  }

  /** Lets go of a stroke that is not there any more, or is another's now. */
  drop() {
    this.#number = null;
  }

  /** The operation that carries the next points. */
  #opFor(x, y) {
    const open = this.#outbox.openFor(this.#number, x, y);
    if (open) return open;
    const op = { kind: "points", stroke: this.#number, ends: false, points: [] };
    this.#replica.note(this.#outbox.push(op), op);
    return op;
  }
}

/** Far below what the server takes, and as much as a canvas likes in one path. */
const POINTS_MAX = 10_000;

const point = (x, y, pressure) => [within(x), within(y), Math.min(Math.max(Math.round(pressure), 0), 255)];
const within = (value) => quantise(Math.min(Math.max(value, -REACH), REACH));
