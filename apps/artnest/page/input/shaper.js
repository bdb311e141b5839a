// From what a pointer reports to the points of a stroke: steadied, thinned, with a pressure for devices that have none.
// Pure; times are in milliseconds, distances in CSS pixels.

/** Points nearer than this to the one before say nothing new. */
const STEP_PX_MIN = 0.7;
/** Nor does a pressure that differs less than this. */
const PRESSURE_STEP_MIN = 10;
/** At this speed a stroke without a pen is at its thinnest. */
const SPEED_PX_PER_MS_MAX = 2.6;
const THINNEST = 90;
/** A stroke begins as if the hand had been under way, so that it has no blot at its start. */
const SPEED_AT_START = 1.2;
/** Speed is felt over about so long, so that the width never jumps. */
const SPEED_MS = 60;
const FULL = 255;

export class Shaper {
  #steadyMs;
  #feels;
  #last = null;
  #speed = SPEED_AT_START;
  #kept = null;

  /** `steadyMs` is how far the ink trails behind the hand; `feels` is `pen`, `speed` or `none`. */
  constructor({ steadyMs, feels }) {
    this.#steadyMs = steadyMs;
    this.#feels = feels;
  }

  /** The first point of a stroke. */
  start(sample) {
    this.#last = { ...sample };
    return this.#keep(sample.x, sample.y, this.#pressure(sample));
  }

  /** The next point, or null where there is nothing new to say. */
  move(sample) {
    const last = this.#last;
    const passed = Math.max(sample.time - last.time, 1);
    this.#feelSpeed(Math.hypot(sample.x - last.x, sample.y - last.y) / passed, passed);
    const share = this.#steadyMs > 0 ? 1 - Math.exp(-passed / this.#steadyMs) : 1;
    const x = last.x + (sample.x - last.x) * share;
    const y = last.y + (sample.y - last.y) * share;
    this.#last = { x, y, time: sample.time };
    const pressure = this.#pressure(sample);
    const isNear = Math.hypot(x - this.#kept.x, y - this.#kept.y) < STEP_PX_MIN;
    if (isNear && Math.abs(pressure - this.#kept.pressure) < PRESSURE_STEP_MIN) return null;
    return this.#keep(x, y, pressure);
  }

  /** The last point is where the hand was, not where the ink had come to. */
  end(sample) {
    const isThere = Math.hypot(sample.x - this.#kept.x, sample.y - this.#kept.y) < STEP_PX_MIN;
    return isThere ? null : this.#keep(sample.x, sample.y, this.#kept.pressure);
  }

  #keep(x, y, pressure) {
    this.#kept = { x, y, pressure };
    return this.#kept;
  }

  #feelSpeed(speed, passed) {
    this.#speed += (speed - this.#speed) * (1 - Math.exp(-passed / SPEED_MS));
  }

  #pressure({ pressure }) {
    if (this.#feels === "none") return FULL;
    if (this.#feels === "pen") return Math.round(pressure * FULL);
    const share = Math.min(this.#speed / SPEED_PX_PER_MS_MAX, 1);
    return Math.round(FULL - (FULL - THINNEST) * Math.sqrt(share));
  }
}
