// The hands on the sheet: turns pointer, wheel and gesture events into drawing, panning and zooming. A pen wins over
// touch: once a pen was seen, fingers only move the sheet. Two fingers always move it. What drawing means is `hand`'s
// affair; this module knows no room.

import { pan, zoomAt } from "../render/view.js";

/** A finger draws when it has moved so far, or has been down so long, without a second one. */
const TOUCH_PX = 5;
const TOUCH_MS = 90;
const WHEEL_ZOOM = 0.0016;
/** Lines and pages of a wheel, in pixels. */
const WHEEL_UNITS = [1, 16, 400];

export class Surface {
  #stage;
  #renderer;
  #hand;
  /** Pointers that are down, by id, in CSS pixels of the stage. */
  #down = new Map();
  /** `null`, `touch` (a finger that may yet become a pinch), `draw`, `pan` or `pinch`. */
  #mode = null;
  #pointer = null;
  #early = [];
  /** Where the sheet was held when it began to move, and the view then: offsets are whole pixels, so sums would drift. */
  #held = null;
  #penSeen = false;
  #space = false;

  /**
   * `hand` has `tool` (`pen`, `eraser`, `hand`, `picker`), `fingersDraw`, and `start`, `move`, `end`, `cancel`, `hover`,
   * `away`, `pick`, which get samples `{ x, y, pressure, time, type }` in CSS pixels of the stage.
   */
  constructor(stage, renderer, hand) {
    this.#stage = stage;
    this.#renderer = renderer;
    this.#hand = hand;
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    // Raw updates come as the device reports, not as frames are drawn. Where they exist, a move says the same again, and
    // only what it foresees is news.
    const hasRaw = "onpointerrawupdate" in stage;
    stage.addEventListener(hasRaw ? "pointerrawupdate" : "pointermove", (event) => this.#move(event));
    stage.addEventListener("pointermove", (event) => this.#foresee(event));
    stage.addEventListener("pointerup", (event) => this.#lift(event));
    stage.addEventListener("pointercancel", (event) => this.#abort(event));
    stage.addEventListener("pointerleave", () => hand.away());
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    // Only a listener that is not passive can keep the page from zooming itself.
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    for (const type of ["touchstart", "touchmove"]) {
      stage.addEventListener(type, (event) => event.preventDefault(), { passive: false });
    }
  }

  /** While space is down, the pointer moves the sheet. */
  set space(isDown) {
    this.#space = isDown;
    this.#stage.classList.toggle("grabs", isDown);
  }

  #press(event) {
    const at = this.#sample(event);
    if (event.pointerType === "pen") this.#meetPen();
    this.#down.set(event.pointerId, at);
    this.#stage.setPointerCapture(event.pointerId);
    this.#stage.focus({ preventScroll: true });
    event.preventDefault();
    const fingers = this.#fingers();
    if (event.pointerType === "touch" && fingers.length === 2 && this.#mode !== "draw") return this.#startPinch();
    if (this.#mode !== null) return;
    this.#pointer = event.pointerId;
    if (this.#pans(event)) this.#hold("pan", at);
    else if (this.#hand.tool === "picker") this.#hand.pick(at);
    else if (event.pointerType === "touch") this.#waitForSecondFinger(at);
    else if (event.button === 0 || event.button === 5) this.#draw(at, event);
  }

  /** A palm that came before its pen had no say. */
  #meetPen() {
    this.#penSeen = true;
    if (this.#mode === "touch" || this.#mode === "pinch" || this.#mode === "pan") this.#become(null);
    if (this.#mode === "draw" && this.#down.get(this.#pointer)?.type === "touch") {
      this.#hand.cancel();
      this.#become(null);
    }
  }

  #pans(event) {
    return this.#space || this.#hand.tool === "hand" || event.button === 1 || event.button === 2 ||
      (event.pointerType === "touch" && (this.#penSeen || !this.#hand.fingersDraw));
  }

  #waitForSecondFinger(at) {
    this.#early = [at];
    this.#become("touch");
    const pointer = this.#pointer;
    setTimeout(() => { if (this.#mode === "touch" && this.#pointer === pointer) this.#drawEarly(); }, TOUCH_MS);
  }

  #drawEarly() {
    const [first, ...rest] = this.#early;
    this.#early = [];
    this.#draw(first, null);
    for (const sample of rest) this.#hand.move(sample);
  }

  #draw(at, event) {
    // The other end of a pen, or its second button, erases.
    const erases = event !== null && event.pointerType === "pen" && (event.buttons & 32) !== 0;
    if (this.#hand.start(at, erases)) this.#become("draw");
    else this.#become(null);
  }

  #move(event) {
    if (event.pointerType === "pen" && !this.#penSeen) this.#meetPen();
    const at = this.#sample(event);
    if (!this.#down.has(event.pointerId)) return this.#hand.hover(at);
    this.#down.set(event.pointerId, at);
    if (this.#mode === "pinch") return this.#movePinch();
    if (event.pointerId !== this.#pointer) return;
    if (this.#mode === "pan") this.#drag(at);
    if (this.#mode === "touch") {
      this.#early.push(at);
      if (Math.hypot(at.x - this.#early[0].x, at.y - this.#early[0].y) > TOUCH_PX) this.#drawEarly();
    } else if (this.#mode === "draw") {
      const samples = event.getCoalescedEvents?.() ?? [];
      for (const sample of samples.length > 0 ? samples : [event]) this.#hand.move(this.#sample(sample));
    }
  }

  #foresee(event) {
    if (this.#mode !== "draw" || event.pointerId !== this.#pointer) return;
    const foreseen = event.getPredictedEvents?.() ?? [];
    this.#hand.foresee(foreseen.map((sample) => this.#sample(sample)));
  }

  #lift(event) {
    const at = this.#sample(event);
    this.#down.delete(event.pointerId);
    if (this.#mode === "pinch") {
      if (this.#fingers().length < 2) this.#become(null);
      return;
    }
    if (event.pointerId !== this.#pointer) return;
    if (this.#mode === "touch") this.#drawEarly();
    if (this.#mode === "draw") this.#hand.end(at);
    this.#become(null);
  }

  #abort(event) {
    this.#down.delete(event.pointerId);
    if (event.pointerId !== this.#pointer && this.#mode !== "pinch") return;
    // What the system cuts off was drawn all the same.
    if (this.#mode === "draw") this.#hand.end(null);
    this.#become(null);
  }

  #startPinch() {
    if (this.#mode === "touch") this.#early = [];
    this.#hold("pinch", this.#grip());
  }

  #hold(mode, at) {
    this.#held = { at, view: this.#renderer.view };
    this.#become(mode);
  }

  #drag({ x, y }) {
    const { at, view } = this.#held;
    const density = this.#renderer.density;
    this.#renderer.view = pan(view, (x - at.x) * density, (y - at.y) * density);
  }

  #movePinch() {
    const grip = this.#grip();
    if (!grip) return;
    const { at, view } = this.#held;
    const density = this.#renderer.density;
    const moved = pan(view, (grip.x - at.x) * density, (grip.y - at.y) * density);
    this.#renderer.view = zoomAt(moved, grip.span / at.span, grip.x * density, grip.y * density, density);
  }

  /** Where two fingers hold the sheet, and how far apart they are. */
  #grip() {
    const [one, other] = this.#fingers();
    if (!other) return null;
    return {
      x: (one.x + other.x) / 2, y: (one.y + other.y) / 2,
      span: Math.max(Math.hypot(one.x - other.x, one.y - other.y), 1),
    };
  }

  #fingers() {
    return [...this.#down.values()].filter(({ type }) => type === "touch");
  }

  #wheel(event) {
    event.preventDefault();
    const unit = WHEEL_UNITS[event.deltaMode] ?? 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    // A pinch on a touch pad comes as a wheel with the control key. A wheel with detents zooms, a touch pad pans.
    if (event.ctrlKey || event.metaKey) this.#zoom(event, Math.exp(-dy * WHEEL_ZOOM * 4));
    else if (isMouseWheel(event)) this.#zoom(event, Math.exp(-dy * WHEEL_ZOOM));
    else this.#pan(event.shiftKey ? -dy : -dx, event.shiftKey ? -dx : -dy);
  }

  #zoom(event, factor) {
    const { x, y } = this.#sample(event);
    const density = this.#renderer.density;
    this.#renderer.view = zoomAt(this.#renderer.view, factor, x * density, y * density, density);
  }

  #pan(dx, dy) {
    const density = this.#renderer.density;
    this.#renderer.view = pan(this.#renderer.view, dx * density, dy * density);
  }

  #become(mode) {
    this.#mode = mode;
    if (mode === null) this.#pointer = null;
    this.#stage.classList.toggle("grabbed", mode === "pan" || mode === "pinch");
  }

  #sample(event) {
    const { left, top } = this.#stage.getBoundingClientRect();
    return {
      x: event.clientX - left, y: event.clientY - top, pressure: event.pressure ?? 1, time: event.timeStamp,
      type: event.pointerType,
    };
  }
}

/** Detents come in large equal steps, straight down; a touch pad's are small, fractional, or go sideways. */
const isMouseWheel = ({ deltaMode, deltaX, deltaY }) =>
  deltaMode !== 0 || (deltaX === 0 && Math.abs(deltaY) >= 50 && Number.isInteger(deltaY));
