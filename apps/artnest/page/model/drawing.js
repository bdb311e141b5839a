// The drawing: three layers of strokes in the one order that everybody has, with the strokes drawn here that the server
// has not ordered yet on top. It knows no wire and no screen; one watcher is told of every change.
// `replica.js` decides what happens to it.

import { Stroke } from "./stroke.js";

export const LAYERS = 3;
export const ALL_LAYERS = 255;

export class Drawing {
  layers = Array.from({ length: LAYERS }, () => ({ order: [], locked: false }));
  #strokes = new Map();
  #watcher = null;

  constructor(sheet) {
    this.sheet = sheet;
  }

  /** Calls the watcher's `added(stroke, index)`, `grew(stroke)`, `finished(stroke)`, `changed(stroke)`, `removed(stroke,
   * index)`, `cleared(layer)` and `reset()`. */
  watch(watcher) {
    this.#watcher = watcher;
  }

  get size() {
    return this.#strokes.size;
  }

  find(id) {
    return this.#strokes.get(id);
  }

  strokes() {
    return this.#strokes.values();
  }

  begin(id, fields) {
    const stroke = new Stroke(id, fields);
    const { order } = this.layers[stroke.layer];
    let index = order.length;
    while (index > 0 && order[index - 1].z > stroke.z) index--;
    order.splice(index, 0, stroke);
    this.#strokes.set(id, stroke);
    this.#watcher?.added(stroke, index);
    return stroke;
  }

  /** The server has said where a stroke stands that was drawn here. */
  place(stroke) {
    const { order } = this.layers[stroke.layer];
    const from = order.lastIndexOf(stroke);
    stroke.place();
    // Strokes are ordered as they were drawn, so nearly always it stands there already.
    if (from === 0 || order[from - 1].z < stroke.z) return;
    this.#take(stroke);
    let index = from;
    while (index > 0 && order[index - 1].z > stroke.z) index--;
    order.splice(index, 0, stroke);
    this.#watcher?.added(stroke, index);
  }

  grow(stroke, points, ends) {
    if (points.length > 0) {
      stroke.grow(points);
      this.#watcher?.grew(stroke);
    }
    if (ends) this.finish(stroke);
  }

  finish(stroke) {
    stroke.finish();
    this.#watcher?.finished(stroke);
  }

  /** Takes points out of the middle of a stroke: they were refused. */
  shorten(stroke, from, count) {
    this.#watcher?.changed(stroke);
    stroke.shorten(from, count);
  }

  setUndone(stroke, undone) {
    if (stroke.undone === undone) return;
    stroke.undone = undone;
    this.#watcher?.changed(stroke);
  }

  rename(stroke, id, number) {
    this.#strokes.delete(stroke.id);
    Object.assign(stroke, { id, number });
    this.#strokes.set(id, stroke);
  }

  remove(stroke) {
    this.#strokes.delete(stroke.id);
    this.#take(stroke);
  }

  /** Removes what the server has ordered, from one layer or from all. */
  clear(layer) {
    this.layers.forEach(({ order }, each) => {
      if (layer !== ALL_LAYERS && layer !== each) return;
      const kept = order.filter((stroke) => stroke.isWaiting);
      for (const stroke of order) if (!stroke.isWaiting) this.#strokes.delete(stroke.id);
      order.length = 0;
      for (const stroke of kept) order.push(stroke);
      this.#watcher?.cleared(each);
    });
  }

  reset() {
    this.#strokes.clear();
    for (const layer of this.layers) {
      layer.order.length = 0;
      layer.locked = false;
    }
    this.#watcher?.reset();
  }

  #take(stroke) {
    const { order } = this.layers[stroke.layer];
    const index = order.lastIndexOf(stroke);
    order.splice(index, 1);
    this.#watcher?.removed(stroke, index);
  }
}
