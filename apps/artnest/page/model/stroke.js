// One stroke: a list of points that may still grow, and where it stands. `ink` turns it into a picture.

import { bounds, union } from "../ink/geometry.js";

/** Strokes that wait for the server's order lie above all that have it. */
const Z_WAITING = 2 ** 52;
/** Places are handed out in the order in which strokes come, which is the server's. */
let places = 0;

export class Stroke {
  /** `points` is a flat list x, y, pressure in units of the sheet. */
  constructor(id, { member, number, layer, eraser, rgba, size, points = [], waits = false, isOwn = false }) {
    this.id = id;
    this.member = member;
    this.number = number;
    this.layer = layer;
    this.eraser = eraser;
    this.rgba = rgba;
    this.colour = eraser ? css([0, 0, 0, rgba[3]]) : css(rgba);
    this.opaque = rgba[3] === 255;
    this.size = size;
    this.points = [...points];
    /** It was drawn in this tab, just now: nothing of it needs to unfold. */
    this.isOwn = isOwn;
    this.z = waits ? Z_WAITING + places++ : places++;
    /** No more points will come. */
    this.finished = false;
    /** Hidden by its author. */
    this.undone = false;
    /** How many of its points the server has taken; the rest waits. */
    this.taken = waits ? 0 : points.length / 3;
    this.box = bounds(this.points, size);
  }

  get isWaiting() {
    return this.z >= Z_WAITING;
  }

  get isVisible() {
    return !this.undone && this.points.length > 0;
  }

  place() {
    this.z = places++;
  }

  grow(points) {
    const from = this.points.length / 3;
    this.#unpack();
    for (const value of points) this.points.push(value);
    this.box = union(this.box, bounds(this.points, this.size, from));
  }

  shorten(from, count) {
    this.#unpack();
    this.points.splice(3 * from, 3 * count);
    this.box = bounds(this.points, this.size);
  }

  /** Packs what will hardly change: a drawing has many strokes. */
  finish() {
    this.finished = true;
    this.points = Float32Array.from(this.points);
  }

  #unpack() {
    if (!Array.isArray(this.points)) this.points = [...this.points];
  }
}

const css = ([red, green, blue, alpha]) =>
  alpha === 255 ? `rgb(${red} ${green} ${blue})` : `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
