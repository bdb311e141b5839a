// Own operations until the server has decided them: numbered without a gap, kept on the browser's disk, sent once more
// after every loss of the line. So an offline tab loses nothing, and nothing counts twice.
// It refuses to judge: what is decided, refused or held, `connection.js` is told by the server and tells it.

import { isWithinStep } from "../wire/bytes.js";
import { lengthOf } from "../wire/frames.js";

/** The type, first number and count of an Ops frame. */
const HEAD_BYTES = 7;
/** What a full room still takes. */
const LIGHT = new Set(["undo", "redo", "clear", "lock"]);
/** Operations in a frame. */
const COUNT_MAX = 256;

export class Outbox {
  /** Undecided operations, `{ number, op }`, numbers without a gap. */
  #items = [];
  #last = 0;
  /** Everything up to this number was sent on this connection. */
  #sent = 0;
  /** The server takes nothing from this number on, for now. */
  #heldFrom = null;
  #disk;
  #written = 0;
  #limits = { opPoints: 1_024, frameBytes: 32_768 };

  /** `disk` has `put(items)`, `drop(until)` and `replace(items)`; `items` are what an earlier tab left on it. */
  constructor(disk, items = []) {
    this.#disk = disk;
    this.#items = items;
    this.#last = items.at(-1)?.number ?? 0;
    this.#written = this.#last;
  }

  /** Everything up to this number was sent on this connection, or decided before. */
  get sent() {
    return this.#sent;
  }

  get isHeld() {
    return this.#heldFrom !== null;
  }

  holds(number) {
    return this.#heldFrom !== null && number >= this.#heldFrom;
  }

  /** The strokes of which the server does not take everything. */
  get heldStrokes() {
    const held = this.#items.filter(({ number, op }) => this.holds(number) && !LIGHT.has(op.kind));
    return new Set(held.map(strokeOf).filter((stroke) => stroke !== undefined));
  }

  get items() {
    return this.#items;
  }

  /** How many strokes wait. */
  get strokes() {
    return this.#items.filter(({ op }) => op.kind === "begin").length;
  }

  /** A connection was made: all up to `lastOp` is decided, the rest is sent again. */
  open(lastOp, limits) {
    this.#limits = limits;
    this.#heldFrom = null;
    this.decide(lastOp);
    this.#sent = lastOp;
    // A server that was set back to a backup knows less than it once acknowledged: the rest takes up the count from there.
    const isGap = (this.#items[0]?.number ?? lastOp + 1) > lastOp + 1;
    if (isGap) this.#renumber(lastOp + 1, this.#items.filter(({ op }) => op.stroke === undefined || this.#has(op.stroke)));
    this.#last = this.#items.at(-1)?.number ?? lastOp;
  }

  push(op) {
    const number = ++this.#last;
    this.#items.push({ number, op });
    return number;
  }

  /** The operation that more points of a stroke can still join: the last one, unsent, with room. */
  openFor(stroke, x, y) {
    const { number, op } = this.#items.at(-1) ?? {};
    const carries = op && (op.kind === "begin" ? number === stroke : op.kind === "points" && op.stroke === stroke);
    if (!carries || number <= this.#sent || op.points.length / 3 >= this.#limits.opPoints) return null;
    const last = op.points.length - 3;
    if (last >= 0 && !isWithinStep(op.points[last], op.points[last + 1], x, y)) return null;
    // It will change, so it is to be written again.
    this.#written = Math.min(this.#written, number - 1);
    return op;
  }

  /** The next operations to send, `{ first, ops }`, as many as fit a frame; null if there is nothing to send. */
  next() {
    if (this.isHeld) return null;
    const from = this.#items.findIndex(({ number }) => number > this.#sent);
    if (from < 0) return null;
    const batch = [];
    let bytes = HEAD_BYTES;
    for (const { op } of this.#items.slice(from, from + COUNT_MAX)) {
      bytes += lengthOf(op);
      if (bytes > this.#limits.frameBytes && batch.length > 0) break;
      batch.push(op);
    }
    const first = this.#items[from].number;
    this.#sent = first + batch.length - 1;
    return { first, ops: batch };
  }

  /** Writes down what is new, so that it outlives the tab. */
  write() {
    if (this.#written >= this.#last) return;
    const fresh = this.#items.filter(({ number }) => number > this.#written);
    if (fresh.length > 0) this.#disk.put(fresh);
    this.#written = this.#last;
  }

  decide(until) {
    if (this.#items.length === 0 || this.#items[0].number > until) return;
    this.#items = this.#items.filter(({ number }) => number > until);
    this.#disk.drop(until);
  }

  /** The server takes nothing from `number` on, until `release`. */
  hold(number) {
    this.#heldFrom = number;
    this.#sent = number - 1;
  }

  release() {
    this.#heldFrom = null;
  }

  /**
   * Takes back what the server holds off of some strokes; later operations get the numbers that become free. Returns the
   * numbers that are `gone`, and as `moved` the new number of each that moved, by its old one.
   */
  retract(strokes) {
    const isGone = (item) => this.holds(item.number) && strokes.has(strokeOf(item));
    const gone = this.#items.filter(isGone).map(({ number }) => number);
    const first = this.#items[0]?.number;
    const moved = this.#renumber(first, this.#items.filter((item) => !isGone(item)));
    // The server has a reserve for what sets things right; it is sent, now that nothing else stands before it.
    if (this.#items.every(({ op }) => LIGHT.has(op.kind))) this.release();
    return { gone, moved };
  }

  #has(stroke) {
    return this.#items.some(({ number, op }) => number === stroke && op.kind === "begin");
  }

  #renumber(first, kept) {
    const moved = new Map();
    if (first === undefined) return moved;
    kept.forEach((item, index) => {
      const number = first + index;
      if (item.number !== number) moved.set(item.number, number);
      if (moved.has(item.op.stroke)) item.op.stroke = moved.get(item.op.stroke);
      item.number = number;
    });
    this.#items = kept;
    this.#last = first + kept.length - 1;
    this.#written = this.#last;
    this.#disk.replace(kept);
    return moved;
  }
}

/** The number of the stroke that an operation is about. */
const strokeOf = ({ number, op }) => (op.kind === "begin" ? number : op.stroke);
