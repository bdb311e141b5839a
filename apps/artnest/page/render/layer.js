// The picture of one layer: `base`, off the screen, holds strokes in their order; `display`, in the page, is the base
// with the strokes that grow right now on top. So a growing stroke is drawn piece by piece, and is exact once it
// settles: its region is then taken from the base again, on which it was painted whole, at its place.
// The base is painted forward within a budget of time, so that a large drawing never freezes the page.

import { bend, disc, middle, overlap } from "../ink/geometry.js";
import { paint, paintDiscs } from "../ink/path.js";
import { pixels, toSheet } from "./view.js";

/** A stroke that has not grown for so long settles, though its author may still come back to it. */
const REST_MS = 3_000;
/** Strokes between two looks at the clock. */
const STRIDE = 8;
const EVERYTHING = [-Infinity, -Infinity, Infinity, Infinity];

export class LayerPicture {
  #order;
  #sheet;
  #displayContext;
  #base;
  #baseContext;
  #view = null;
  /** How far into the order the base is painted. Growing strokes in that part are left out. */
  #painted = 0;
  /** Boxes of the base to paint again, in document units. */
  #damaged = [];
  /** Growing strokes, each with how much of it the display shows. */
  #growing = new Map();
  /** Boxes in which the base is ahead of the display. */
  #touched = [];

  constructor(order, sheet) {
    this.#order = order;
    this.#sheet = sheet;
    this.display = document.createElement("canvas");
    this.#displayContext = this.display.getContext("2d");
    this.#base = document.createElement("canvas");
    this.#baseContext = this.#base.getContext("2d");
  }

  get isComplete() {
    return this.#painted === this.#order.length && this.#damaged.length === 0;
  }

  get isGrowing() {
    return this.#growing.size > 0;
  }

  resize(width, height) {
    for (const canvas of [this.display, this.#base]) Object.assign(canvas, { width, height });
  }

  /** Starts the base afresh, in another view or with other strokes; the display stays as it is until `show`. */
  restart(view) {
    this.#view = view;
    this.#painted = 0;
    this.#damaged = [];
    this.#baseContext.clearRect(0, 0, this.#base.width, this.#base.height);
  }

  /** Goes to a view that differs by whole pixels only: what is painted moves, and what comes into sight is painted. */
  shift(view) {
    const [dx, dy] = [view.x - this.#view.x, view.y - this.#view.y];
    const { width, height } = this.#base;
    this.#view = view;
    this.#baseContext.globalCompositeOperation = "copy";
    this.#baseContext.drawImage(this.#base, dx, dy);
    this.#baseContext.globalCompositeOperation = "source-over";
    const beside = dx > 0 ? [0, 0, dx, height] : [width + dx, 0, width, height];
    const above = dy > 0 ? [0, 0, width, dy] : [0, height + dy, width, height];
    this.#damaged.push(this.#units(beside), this.#units(above));
  }

  /** A stroke came into the order at `index`; it grows before the eyes of whoever looks, or is just there. */
  added(stroke, index, grows) {
    if (grows) this.#growing.set(stroke, freshly());
    if (index >= this.#painted) return;
    this.#painted++;
    if (!grows) this.#settle(stroke, index);
  }

  grew(stroke, grows) {
    const shown = this.#growing.get(stroke);
    if (shown) shown.restsAt = performance.now() + REST_MS;
    else if (grows) this.#growing.set(stroke, freshly());
    if (!shown) this.#damaged.push(stroke.box);
  }

  /** A stroke was hidden or shown, or its points are others. */
  changed(stroke) {
    if (this.#growing.has(stroke)) this.#growing.set(stroke, freshly());
    this.#damaged.push(stroke.box);
  }

  /** A stroke was taken out of the order, where it stood at `index`. */
  removed(stroke, index) {
    this.#growing.delete(stroke);
    if (index < this.#painted) this.#painted--;
    this.#damaged.push(stroke.box);
  }

  /** Many strokes were taken out of the order at once. */
  cleared() {
    for (const stroke of this.#growing.keys()) if (!this.#order.includes(stroke)) this.#growing.delete(stroke);
    this.restart(this.#view);
    this.#touched.push(EVERYTHING);
  }

  /** The order was emptied. */
  reset() {
    this.#growing.clear();
    if (this.#view) this.restart(this.#view);
  }

  /** Paints the base forward until a time of `performance.now`; returns the boxes in which the display is behind. */
  advance(until) {
    const touched = this.#touched.splice(0);
    const inSight = this.#inSight;
    while (this.#damaged.length > 0 && performance.now() < until) {
      const box = this.#damaged.shift();
      if (!overlap(box, inSight)) continue;
      this.#repair(box);
      touched.push(box);
    }
    this.#enter(this.#baseContext, this.#view);
    for (let n = 1; this.#painted < this.#order.length; n++) {
      const stroke = this.#order[this.#painted++];
      if (this.#isSettled(stroke) && overlap(stroke.box, inSight)) {
        paintStroke(this.#baseContext, stroke);
        touched.push(stroke.box);
      }
      if (n % STRIDE === 0 && performance.now() >= until) break;
    }
    this.#baseContext.restore();
    return touched;
  }

  /** Takes the display, or a box of it, from the base again, with the growing strokes over it. */
  show(box = null) {
    const { width, height } = this.display;
    const [left, top, right, bottom] = box ? pixels(this.#view, box, width, height) : [0, 0, width, height];
    if (left >= right || top >= bottom) return;
    const context = this.#displayContext;
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.clearRect(left, top, right - left, bottom - top);
    context.drawImage(this.#base, left, top, right - left, bottom - top, left, top, right - left, bottom - top);
    this.#enter(context, this.#view);
    for (const [stroke, shown] of this.#growing) {
      if (!stroke.isVisible || (box && !overlap(stroke.box, box))) continue;
      paintRun(context, stroke, runUpTo(stroke, shown.bends));
    }
    context.restore();
    context.restore();
  }

  /**
   * Draws on the display what has grown, in the view that the display is in. Strokes of others may unfold over a few
   * frames: `share` is the part of what is missing that is drawn now. Returns whether something is missing still.
   */
  showGrowth(view, share) {
    let missing = false;
    for (const [stroke, shown] of this.#growing) {
      const bends = Math.max(stroke.points.length / 3 - 2, 0);
      const until = shown.bends + Math.ceil((bends - shown.bends) * (stroke.isOwn ? 1 : share));
      const isSeen = stroke.isVisible && overlap(stroke.box, this.#inSight);
      if (until > shown.bends && isSeen) this.#extend(view, stroke, shown, until);
      shown.bends = until;
      if (until < bends) missing = true;
      else if (stroke.finished || performance.now() > shown.restsAt) this.#leave(stroke);
    }
    return missing;
  }

  #extend(view, stroke, shown, until) {
    const context = this.#displayContext;
    // A translucent stroke is laid on once, so all of it is drawn again; where the base is in another view, that waits.
    if (!stroke.opaque) {
      shown.bends = until;
      if (view === this.#view) this.show(stroke.box);
      return;
    }
    this.#enter(context, view);
    paintRun(context, stroke, run(stroke, shown.bends, until));
    context.restore();
  }

  /** A growing stroke becomes part of the base. */
  #leave(stroke) {
    this.#growing.delete(stroke);
    const index = this.#order.lastIndexOf(stroke);
    if (index < this.#painted) this.#settle(stroke, index);
  }

  /** Paints into the base what belongs into its painted part: on top if nothing lies over it, else with all its region. */
  #settle(stroke, index) {
    for (let above = this.#painted - 1; above > index; above--) {
      if (overlap(this.#order[above].box, stroke.box)) {
        this.#damaged.push(stroke.box);
        return;
      }
    }
    if (stroke.isVisible) {
      this.#enter(this.#baseContext, this.#view);
      paintStroke(this.#baseContext, stroke);
      this.#baseContext.restore();
    }
    this.#touched.push(stroke.box);
  }

  #repair(box) {
    const context = this.#baseContext;
    const [left, top, right, bottom] = pixels(this.#view, box, this.#base.width, this.#base.height);
    if (left >= right || top >= bottom) return;
    context.save();
    context.beginPath();
    context.rect(left, top, right - left, bottom - top);
    context.clip();
    context.clearRect(left, top, right - left, bottom - top);
    this.#enter(context, this.#view);
    const region = this.#units([left, top, right, bottom]);
    for (let index = 0; index < this.#painted; index++) {
      const stroke = this.#order[index];
      if (overlap(stroke.box, region) && this.#isSettled(stroke)) paintStroke(context, stroke);
    }
    context.restore();
    context.restore();
  }

  /** What of the sheet the screen shows, in document units. */
  get #inSight() {
    return this.#units([0, 0, this.#base.width, this.#base.height]);
  }

  #isSettled(stroke) {
    return stroke.isVisible && !this.#growing.has(stroke);
  }

  /** From here to `restore`, the context takes document units and keeps to the sheet. */
  #enter(context, view) {
    context.save();
    context.beginPath();
    context.rect(view.x, view.y, Math.round(this.#sheet.width * view.scale), Math.round(this.#sheet.height * view.scale));
    context.clip();
    context.setTransform(view.scale, 0, 0, view.scale, view.x, view.y);
  }

  #units([left, top, right, bottom]) {
    return [...toSheet(this.#view, left, top), ...toSheet(this.#view, right, bottom)];
  }
}

const freshly = () => ({ bends: 0, restsAt: performance.now() + REST_MS });

function paintStroke(context, stroke) {
  context.globalCompositeOperation = stroke.eraser ? "destination-out" : "source-over";
  paint(context, stroke);
}

function paintRun(context, stroke, discs) {
  if (discs.length === 0) return;
  context.globalCompositeOperation = stroke.eraser ? "destination-out" : "source-over";
  paintDiscs(context, discs, stroke.colour);
}

/** The discs of the bends after `from`, up to `until`, with the disc before them. */
function run(stroke, from, until) {
  if (from === 0) return runUpTo(stroke, until);
  const discs = middle(stroke.points, from + 1, stroke.size);
  for (let i = from + 1; i <= until; i++) bend(discs, stroke.points, i, stroke.size);
  return discs;
}

function runUpTo(stroke, until) {
  if (until === 0) return [];
  const discs = disc(stroke.points, 0, stroke.size);
  for (let i = 1; i <= until; i++) bend(discs, stroke.points, i, stroke.size);
  return discs;
}
