// Shows a drawing: a sheet, three layers over it, and the tips of the strokes that are being drawn here.
// It paints in animation frames, only when something changed, and never longer than a frame's budget: while a large
// drawing is painted for a new view, the old picture stands in, moved and scaled. `layer.js` knows how a layer is kept.

import { paintDiscs } from "../ink/path.js";
import { middle, radius } from "../ink/geometry.js";
import { LayerPicture } from "./layer.js";
import { pixels, same, view } from "./view.js";

/** Painting time in one frame; the rest of its 16 ms belongs to the browser. */
const BUDGET_MS = 9;
/** The share of what others drew that is unfolded in each frame, so that it flows instead of jumping. */
const UNFOLD = 0.3;
/** More pixels than this for a CSS pixel are not seen, but cost. */
const DENSITY_MAX = 2;
/** More boxes than this are shown as one whole. */
const BOXES_MAX = 32;

export class Renderer {
  #drawing;
  #host;
  #paper;
  #stack;
  #tips;
  #pictures;
  #view = view(1, 0, 0);
  /** The view that the displays are in. */
  #shown = this.#view;
  /** The displays keep an older picture until the base is painted: for another scale, or for a drawing read anew. */
  #stale = false;
  /** The displays are to be taken from the base as a whole. */
  #moved = false;
  #frame = null;
  #wake = null;
  #tipBox = null;
  /** The stroke that is being drawn here, `{ stroke, foreseen }` with the points that are only foreseen, or null. */
  tip = null;
  /** Called with every new view, and when the screen has another size. */
  onView = () => {};
  #holds = false;
  /** Whether strokes that come now unfold before the eyes: not while a room is being read. */
  animates = false;
  /** Whether what others draw flows; off for who prefers less motion. */
  flows = true;

  constructor(host, drawing) {
    this.#host = host;
    this.#drawing = drawing;
    this.#paper = Object.assign(document.createElement("div"), { className: "paper" });
    this.#stack = Object.assign(document.createElement("div"), { className: "stack" });
    this.#pictures = drawing.layers.map(({ order }) => new LayerPicture(order, drawing.sheet));
    this.#tips = document.createElement("canvas");
    this.#stack.append(...this.#pictures.map(({ display }) => display), this.#tips);
    host.append(this.#paper, this.#stack);
    drawing.watch(this);
    this.#resize();
    new ResizeObserver(() => this.#resize()).observe(host);
  }

  get view() {
    return this.#view;
  }

  get density() {
    return this.#density;
  }
  #density = 1;

  get width() {
    return this.#tips.width;
  }

  get height() {
    return this.#tips.height;
  }

  /** Whether the screen shows everything there is, as it is. */
  get isComplete() {
    return this.#frame === null && this.#isPainted && !this.#stale && !this.#pictures.some((picture) => picture.isGrowing);
  }

  get #isPainted() {
    return this.#pictures.every((picture) => picture.isComplete);
  }

  /** While it holds, the screen keeps the picture that it has: a room that is read anew comes back as a whole. */
  set holds(holds) {
    this.#holds = holds;
    this.#stale ||= holds;
    this.request();
  }

  set view(next) {
    if (same(next, this.#view)) return;
    const shifts = next.scale === this.#view.scale;
    this.#view = next;
    for (const picture of this.#pictures) {
      if (shifts) picture.shift(next);
      else picture.restart(next);
    }
    if (!shifts) this.#stale = true;
    this.#moved = true;
    if (this.#stale) this.#place();
    this.onView(next);
    this.request();
  }

  /** A picture of the drawing, to be seen on the sheet until the drawing itself is painted. */
  preview(url) {
    const image = document.createElement("img");
    image.src = url;
    image.alt = "";
    this.#paper.replaceChildren(image);
  }

  showLayer(layer, visible) {
    this.#pictures[layer].display.hidden = !visible;
  }

  isShown(layer) {
    return !this.#pictures[layer].display.hidden;
  }

  request() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#paint();
    });
  }

  // What the drawing tells.

  added(stroke, index) {
    this.#pictures[stroke.layer].added(stroke, index, this.#grows(stroke));
    this.request();
  }

  grew(stroke) {
    this.#pictures[stroke.layer].grew(stroke, this.#grows(stroke));
    this.request();
  }

  finished() {
    this.request();
  }

  changed(stroke) {
    this.#pictures[stroke.layer].changed(stroke);
    this.request();
  }

  removed(stroke, index) {
    this.#pictures[stroke.layer].removed(stroke, index);
    this.request();
  }

  cleared(layer) {
    this.#pictures[layer].cleared();
    this.request();
  }

  reset() {
    for (const picture of this.#pictures) picture.reset();
    this.#stale = true;
    this.request();
  }

  /** A part of what the screen shows, all layers over white, in device pixels. */
  flatten(left = 0, top = 0, width = this.width, height = this.height) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    for (const { display } of this.#pictures) if (!display.hidden) context.drawImage(display, -left, -top);
    return canvas;
  }

  #grows(stroke) {
    return this.animates || stroke.isOwn;
  }

  #resize() {
    const { width, height } = this.#host.getBoundingClientRect();
    if (width === 0 || height === 0) return;
    const density = Math.min(devicePixelRatio, DENSITY_MAX);
    const size = { width: Math.round(width * density), height: Math.round(height * density) };
    if (size.width === this.width && size.height === this.height && density === this.#density) return;
    this.#density = density;
    Object.assign(this.#tips, size);
    for (const picture of this.#pictures) {
      picture.resize(size.width, size.height);
      picture.restart(this.#view);
    }
    this.#stale = true;
    this.onView(this.#view);
    this.request();
  }

  #paint() {
    const until = performance.now() + BUDGET_MS;
    const unfolds = this.#pictures.map((picture) => picture.showGrowth(this.#shown, this.flows ? UNFOLD : 1));
    const touched = this.#pictures.map((picture) => picture.advance(until));
    const painted = this.#isPainted;
    if (this.#stale ? painted && !this.#holds : this.#moved) this.#present();
    else if (!this.#stale) this.#pictures.forEach((picture, layer) => follow(picture, touched[layer]));
    this.#paintTip();
    if (painted && this.animates) this.#paper.replaceChildren();
    if (!painted || unfolds.includes(true)) this.request();
    else this.#wakeLater();
  }

  /** The displays show what the base has. */
  #present() {
    this.#shown = this.#view;
    this.#stale = false;
    this.#moved = false;
    for (const picture of this.#pictures) picture.show();
    this.#place();
  }

  /** Puts the sheet and the pictures where the view has them. */
  #place() {
    const { scale, x, y } = this.#view;
    const { width, height } = this.#drawing.sheet;
    const css = 1 / this.#density;
    Object.assign(this.#paper.style, {
      transform: `translate(${x * css}px, ${y * css}px)`,
      width: `${Math.round(width * scale) * css}px`,
      height: `${Math.round(height * scale) * css}px`,
    });
    const by = scale / this.#shown.scale;
    const dx = (x - this.#shown.x * by) * css;
    const dy = (y - this.#shown.y * by) * css;
    this.#stack.style.transform = this.#stale ? `translate(${dx}px, ${dy}px) scale(${by})` : "none";
  }

  /** The last bit of the stroke drawn here, which the next point will bend, and what is foreseen of it. */
  #paintTip() {
    const context = this.#tips.getContext("2d");
    if (this.#tipBox) context.clearRect(...this.#tipBox);
    this.#tipBox = null;
    const { stroke, foreseen } = this.tip ?? {};
    if (!stroke || stroke.eraser || stroke.finished || !stroke.isVisible) return;
    const discs = tipOf(stroke, foreseen);
    const [left, top, right, bottom] = pixels(this.#view, boxOf(discs), this.width, this.height);
    const { scale, x, y } = this.#view;
    context.setTransform(scale, 0, 0, scale, x, y);
    paintDiscs(context, discs, stroke.colour);
    context.resetTransform();
    this.#tipBox = [left, top, right - left, bottom - top];
  }

  /** Strokes whose authors went silent settle after a while. */
  #wakeLater() {
    if (this.#wake !== null || !this.#pictures.some((picture) => picture.isGrowing)) return;
    this.#wake = setTimeout(() => {
      this.#wake = null;
      this.request();
    }, 1_000);
  }
}

function follow(picture, boxes) {
  if (boxes.length > BOXES_MAX) picture.show();
  else for (const box of boxes) picture.show(box);
}

function tipOf({ points, size }, foreseen) {
  const count = points.length / 3;
  const last = 3 * count - 3;
  const discs = count > 1 ? middle(points, count - 1, size) : [];
  discs.push(points[last], points[last + 1], radius(size, points[last + 2]));
  for (let i = 0; i < foreseen.length; i += 3) discs.push(foreseen[i], foreseen[i + 1], radius(size, foreseen[i + 2]));
  return discs;
}

function boxOf(discs) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < discs.length; i += 3) {
    const [x, y, r] = discs.slice(i, i + 3);
    box[0] = Math.min(box[0], x - r);
    box[1] = Math.min(box[1], y - r);
    box[2] = Math.max(box[2], x + r);
    box[3] = Math.max(box[3], y + r);
  }
  return box;
}
