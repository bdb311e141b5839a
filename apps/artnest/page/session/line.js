// The line to the server: one WebSocket at a time, made again after a growing pause whenever it breaks, until `hangUp`.
// It carries frames and knows nothing of what they mean, except for the Pong that shows that the line is alive.

import { ping, SUBPROTOCOL } from "../wire/frames.js";

const RETRY_MS_MIN = 400;
const RETRY_MS_MAX = 15_000;
/** A Ping goes out where nothing came for so long. */
const QUIET_MS = 5_000;
/** A line on which nothing came for so long is dead, whatever the browser says. */
const DEAD_MS = 12_000;
/** Above this, what is sent waits here, so that it can still be held back. */
const BUFFERED_MAX = 64 * 1024;

export class Line {
  #url;
  #told;
  #socket = null;
  #heardAt = 0;
  #failures = 0;
  #retry = null;
  #pulse = null;
  #isHungUp = false;

  /** `told.opened()`, `told.heard(bytes)` and `told.lost(retryAt)` are called. */
  constructor(url, told) {
    this.#url = url;
    this.#told = told;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.retryNow(); });
    addEventListener("pagehide", () => this.#socket?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.retryNow(); });
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Whether more can be sent without piling up. */
  get isReady() {
    return this.isOpen && this.#socket.bufferedAmount < BUFFERED_MAX;
  }

  dial() {
    clearTimeout(this.#retry);
    this.#retry = null;
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heardAt = Date.now();
    const ifCurrent = (act) => (event) => { if (this.#socket === socket) act(event); };
    socket.onopen = ifCurrent(() => this.#told.opened());
    socket.onmessage = ifCurrent(({ data }) => {
      this.#heardAt = Date.now();
      this.#told.heard(new Uint8Array(data));
    });
    socket.onclose = ifCurrent(() => this.#redial());
    this.#pulse ??= setInterval(() => this.#feelPulse(), 1_000);
  }

  send(bytes) {
    if (this.isOpen) this.#socket.send(bytes);
  }

  /** All is well: the next loss is the first again. */
  settle() {
    this.#failures = 0;
  }

  /** Drops the line and makes it again, after `pause` ms or as the failures so far suggest. */
  drop(pause = null) {
    this.#socket?.close();
    this.#redial(pause);
  }

  retryNow() {
    if (this.#retry !== null) this.dial();
  }

  hangUp() {
    this.#isHungUp = true;
    clearTimeout(this.#retry);
    clearInterval(this.#pulse);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #redial(pause = null) {
    if (this.#isHungUp) return;
    this.#socket = null;
    const most = Math.min(RETRY_MS_MIN * 2 ** this.#failures++, RETRY_MS_MAX);
    const wait = pause ?? most * (0.5 + Math.random() / 2);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.dial(), wait);
    this.#told.lost(Date.now() + wait);
  }

  #feelPulse() {
    if (!this.#socket) return;
    const quiet = Date.now() - this.#heardAt;
    if (quiet > DEAD_MS) this.drop();
    else if (quiet > QUIET_MS) this.send(ping(0));
  }
}
