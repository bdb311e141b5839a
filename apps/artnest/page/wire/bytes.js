// Little-endian numbers, texts and points, as PROTOCOL.md words them. A frame that is too short is a `Malformed`.

/** A position is in sixteenths of a unit of the sheet. */
const GRAIN = 16;
/** The farthest that the second of two neighbouring points may be from the first, in sixteenths. */
const STEP_MAX = 32_767;

export class Malformed extends Error {}

export class Reader {
  #view;
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd() {
    return this.#at === this.#bytes.length;
  }

  u8() { return this.#view.getUint8(this.#take(1)); }
  u16() { return this.#view.getUint16(this.#take(2), true); }
  u32() { return this.#view.getUint32(this.#take(4), true); }
  i16() { return this.#view.getInt16(this.#take(2), true); }
  i32() { return this.#view.getInt32(this.#take(4), true); }
  big64() { return this.#view.getBigUint64(this.#take(8), true); }

  /** A count or a time: far below 2⁵³. */
  u64() {
    const value = this.big64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed("a number beyond all bounds");
    return Number(value);
  }

  text() {
    const bytes = this.bytes(this.u16());
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new Malformed("a text that is not UTF-8");
    }
  }

  bytes(length) {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  rest() {
    return this.bytes(this.#bytes.length - this.#at);
  }

  pos() {
    return [this.i32() / GRAIN, this.i32() / GRAIN];
  }

  points() {
    const count = this.u16();
    if (count === 0) return [];
    let [x, y] = [this.i32(), this.i32()];
    const points = [x / GRAIN, y / GRAIN, this.u8()];
    for (let i = 1; i < count; i++) {
      x += this.i16();
      y += this.i16();
      points.push(x / GRAIN, y / GRAIN, this.u8());
    }
    return points;
  }

  /** `count` things, each read by `read`. */
  list(count, read) {
    const items = [];
    for (let i = 0; i < count; i++) items.push(read(this));
    return items;
  }

  #take(length) {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new Malformed("the frame is too short");
    this.#at += length;
    return at;
  }
}

export class Writer {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  u8(value) { return this.#put(1, "setUint8", value); }
  u16(value) { return this.#put(2, "setUint16", value); }
  u32(value) { return this.#put(4, "setUint32", value); }
  i16(value) { return this.#put(2, "setInt16", value); }
  i32(value) { return this.#put(4, "setInt32", value); }
  u64(value) { return this.#put(8, "setBigUint64", BigInt(value)); }

  bytes(bytes) {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  text(text) {
    const bytes = new TextEncoder().encode(text);
    return this.u16(bytes.length).bytes(bytes);
  }

  pos(x, y) {
    return this.i32(Math.round(x * GRAIN)).i32(Math.round(y * GRAIN));
  }

  points(points) {
    this.u16(points.length / 3);
    let [x, y] = [0, 0];
    for (let i = 0; i < points.length; i += 3) {
      const [nextX, nextY] = [Math.round(points[i] * GRAIN), Math.round(points[i + 1] * GRAIN)];
      if (i === 0) this.i32(nextX).i32(nextY);
      else this.i16(nextX - x).i16(nextY - y);
      this.u8(points[i + 2]);
      [x, y] = [nextX, nextY];
    }
    return this;
  }

  done() {
    return this.#bytes.slice(0, this.#at);
  }

  #put(length, set, value) {
    // First make room: the view may be another one after it.
    const at = this.#grow(length);
    this.#view[set](at, value, true);
    return this;
  }

  #grow(length) {
    const at = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}

/** A coordinate as the wire carries it: what is drawn here is drawn from these, so that it looks the same everywhere. */
export const quantise = (value) => Math.round(value * GRAIN) / GRAIN;

/** Whether `next` can follow a point in one batch. */
export const isWithinStep = (x, y, nextX, nextY) =>
  Math.abs(nextX - x) * GRAIN <= STEP_MAX && Math.abs(nextY - y) * GRAIN <= STEP_MAX;
