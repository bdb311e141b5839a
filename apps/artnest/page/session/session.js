// One visit to a room: joins, reads what is there, follows what happens, and brings over what is done here.
// It owns the replica, the outbox and the line, and tells the user interface the news; it draws nothing itself.
// The life of a connection is drawn in PROTOCOL.md, "The life of a connection".

import { Replica } from "../model/replica.js";
import { CODES } from "../wire/codes.js";
import * as frames from "../wire/frames.js";
import { Reader } from "../wire/bytes.js";
import { readRecords } from "../wire/ops.js";
import { unpack } from "../wire/unpack.js";
import { Crowd } from "./crowd.js";
import { Line } from "./line.js";
import { News } from "./news.js";
import { Outbox } from "./outbox.js";
import { Pencil } from "./pencil.js";
import { Talk } from "./talk.js";

/** What was drawn here goes out so often, all of it together. */
const TICK_MS = 40;

/**
 * News: `status` (it has another one), `state` (role, name, read-only, locks or what can be undone), `role` (somebody gave
 * one another), `roster`, `cursors`, `sayings` (with the one that came, or null), `refused` (with a word of `codes.js`).
 */
export class Session {
  news = new News();
  /** `connecting`, `reading` (with `progress` from 0 to 1), `live`, `lost` (with `retryAt`) or `over` (with `code`, `text`). */
  status = { name: "connecting" };
  role;
  roomName;
  name;
  /** Why nobody can draw, with a text for people; null where they can. */
  readOnly = null;
  used = 0;
  quota = 0;
  crowd = new Crowd();
  talk = new Talk();

  #identity;
  #token;
  #line;
  #seq = 0;
  #logId = 0n;
  #welcome = null;
  #snapshot = null;
  /** Once the snapshot is read, own operations after this number are shown ahead again; null if none was reset. */
  #draftsAfter = null;
  #cursor = null;
  #tellsState = null;
  /** Frames are taken one after the other, also where one takes time to unpack. */
  #queue = Promise.resolve();
  #epoch = 0;

  /** `room` is what the HTTP API says of it, until the socket says more. */
  constructor({ room, identity, token, name }) {
    this.name = name;
    this.role = room.role;
    this.roomName = room.name;
    this.#identity = identity;
    this.#token = token;
    this.replica = new Replica({ width: room.width, height: room.height }, {
      said: (saying) => {
        this.talk.say(saying);
        this.news.tell("sayings", saying);
      },
      unsaid: (number) => {
        this.talk.take(this.member, number);
        this.news.tell("sayings", null);
      },
      locked: () => this.#changed(),
    });
    this.outbox = new Outbox(identity.disk, identity.items);
    this.pencil = new Pencil(this.replica, this.outbox);
    const url = new URL(`/api/rooms/${room.id}/socket`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.#line = new Line(url, {
      opened: () => this.#opened(),
      heard: (bytes) => this.#heard(bytes),
      lost: (retryAt) => this.#lost(retryAt),
    });
  }

  start() {
    this.#line.dial();
    setInterval(() => this.flush(), TICK_MS);
    // The last bit of a stroke is written down even if the tab closes now.
    addEventListener("pagehide", () => this.outbox.write());
  }

  get drawing() {
    return this.replica.drawing;
  }

  get member() {
    return this.replica.member;
  }

  get isOwner() {
    return this.role === "owner";
  }

  /** Why one cannot draw on a layer now: a word, or null where one can. */
  obstacle(layer) {
    if (this.status.name === "over") return "over";
    if (!this.#isRead) return "reading";
    if (this.role === "viewer") return "viewer";
    if (this.readOnly !== null) return "readOnly";
    return this.drawing.layers[layer].locked && !this.isOwner ? "locked" : null;
  }

  /** Whether the room has been read to an end at least once, and what was read still counts. */
  get #isRead() {
    return this.#logId !== 0n;
  }

  // What is done here.

  undo() {
    const stroke = this.replica.undoable;
    if (!stroke || this.role === "viewer") return;
    if (stroke === this.pencil.stroke) this.pencil.end();
    // What a full room did not take of it is only taken back here; what it took has to be undone there.
    const isHeldOff = this.outbox.holds(stroke.number);
    if (this.outbox.isHeld) this.#retract(new Set([stroke.number]));
    if (!isHeldOff) this.#do({ kind: "undo", stroke: stroke.number });
    this.#changed();
  }

  redo() {
    const stroke = this.replica.redoable;
    if (stroke && this.role !== "viewer") this.#do({ kind: "redo", stroke: stroke.number });
    this.#changed();
  }

  /** A stroke has ended: there is something to undo. */
  drawn() { this.#changed(); }

  /** Takes back every stroke that the full room did not take. */
  discardHeld() {
    this.pencil.drop();
    this.#retract(this.outbox.heldStrokes);
  }

  /** Clears a layer, or all. In a full room what it did not take would stand before the clearing, so it is taken back. */
  clear(layer) {
    if (this.outbox.isHeld) this.discardHeld();
    this.#do({ kind: "clear", layer });
  }

  lock(layer, locked) { this.#do({ kind: "lock", layer, locked }); }
  say(text) { this.#do({ kind: "say", text }); }

  rename(name) {
    this.name = name;
    this.#line.send(frames.rename(name));
  }

  /** The room has another name. */
  renamed(name) {
    this.roomName = name;
    this.#changed();
  }

  setRole(member, role) { this.#line.send(frames.setRole(member, role)); }
  kick(member, bans) { this.#line.send(frames.kick(member, bans)); }

  /** Where one's own pointer is, in units of the sheet; goes out with the next tick. */
  point(x, y, state) {
    this.#cursor = [x, y, state];
  }

  /** Sends what waits, as far as the line takes it. */
  flush() {
    this.outbox.write();
    if (this.status.name !== "live" || !this.#line.isOpen) return;
    for (let batch; this.#line.isReady && (batch = this.outbox.next());) this.#line.send(frames.ops(batch.first, batch.ops));
    if (this.#cursor && this.#line.isReady) this.#line.send(frames.cursor(...this.#cursor));
    this.#cursor = null;
  }

  #do(op) {
    const number = this.outbox.push(op);
    this.replica.draft(number, op);
    this.flush();
  }

  #retract(strokes) {
    const { gone, moved } = this.outbox.retract(strokes);
    for (const number of gone) this.replica.refuse(number);
    this.replica.renumber(moved);
    this.#changed();
    this.flush();
  }

  // What the server says.

  #opened() {
    this.#epoch++;
    this.#welcome = null;
    this.#line.send(frames.join({
      key: this.#identity.key, logId: this.#logId, seq: this.#seq, token: this.#token, name: this.name,
    }));
  }

  #lost(retryAt) {
    this.#epoch++;
    this.#welcome = null;
    // What was read half is read again.
    if (this.#snapshot) this.#forget();
    this.crowd.pointers.clear();
    this.news.tell("cursors");
    this.#become({ name: "lost", retryAt });
  }

  #heard(bytes) {
    const epoch = this.#epoch;
    this.#queue = this.#queue.then(async () => {
      if (epoch !== this.#epoch) return;
      try {
        await this.#take(frames.read(bytes));
      } catch (error) {
        console.error("a frame could not be taken:", error);
        this.#forget();
        this.#line.drop();
      }
    });
  }

  #take(frame) {
    switch (frame.type) {
      case "welcome": return this.#welcomed(frame);
      case "roster": return this.#meet(frame);
      case "snapshotBegin": return this.#beginSnapshot(frame);
      case "snapshotPart": return this.#readPart(frame);
      case "log": return this.#follow(frame);
      case "ack": return this.outbox.decide(frame.number);
      case "refused": return this.#refused(frame);
      case "held": return this.#held(frame);
      case "roomState": return this.#roomState(frame);
      case "cursors":
        this.crowd.point(frame, this.member);
        return this.news.tell("cursors");
      case "error": return this.#error(frame);
    }
  }

  #welcomed(welcome) {
    this.#welcome = welcome;
    this.replica.member = welcome.member;
    this.drawing.sheet.width = welcome.sheet.width;
    this.drawing.sheet.height = welcome.sheet.height;
    this.role = welcome.role;
    this.roomName = welcome.room;
    this.name = welcome.name;
    this.outbox.open(welcome.lastOp, welcome.limits);
    if (!welcome.resumes) {
      this.#forget();
      this.#become({ name: "reading", progress: 0 });
    }
    this.#changed();
    this.#lookWhetherCaughtUp();
  }

  /** Whoever fell far behind gets a snapshot too, in the middle of a visit. */
  #beginSnapshot(snapshot) {
    this.#forget();
    this.#snapshot = { ...snapshot, read: 0 };
    // What is under way may be in the snapshot or come in the log: only what was not sent is shown ahead of it.
    this.#draftsAfter = this.outbox.sent;
    this.talk.clear();
    this.pencil.end();
    this.pencil.drop();
    this.replica.reset();
    this.#become({ name: "reading", progress: 0 });
    if (snapshot.parts === 0) this.#endSnapshot();
  }

  async #readPart({ packed, index }) {
    const snapshot = this.#snapshot;
    const records = readRecords(new Reader(await unpack(packed)));
    // Meanwhile the line may have broken, and what was read half is forgotten.
    if (this.#snapshot !== snapshot) return;
    for (const record of records) this.replica.confirm(record);
    snapshot.read += packed.length;
    this.#become({ name: "reading", progress: snapshot.read / Math.max(snapshot.bytes, 1) });
    if (index + 1 === snapshot.parts) this.#endSnapshot();
  }

  #endSnapshot() {
    this.#seq = this.#snapshot.seq;
    this.#logId = this.#welcome.logId;
    this.#snapshot = null;
    this.#lookWhetherCaughtUp();
  }

  #follow({ seq, time, records }) {
    if (seq !== this.#seq + 1) throw new Error(`the log has a gap: ${seq} after ${this.#seq}`);
    for (const record of records) this.replica.confirm(record, time);
    this.#seq += records.length;
    this.#changed();
    this.#lookWhetherCaughtUp();
  }

  /** The log has reached the point at which we joined: from here on it is live. */
  #lookWhetherCaughtUp() {
    if (this.status.name === "live" || !this.#isRead || this.#seq < this.#welcome.seq) return;
    this.replica.refuseUpTo(this.#welcome.lastOp);
    if (this.#draftsAfter !== null) this.#showDrafts(this.#draftsAfter);
    this.#draftsAfter = null;
    this.#line.settle();
    this.#become({ name: "live" });
    this.flush();
  }

  #showDrafts(after) {
    for (const { number, op } of this.outbox.items) if (number > after) this.replica.draft(number, op);
  }

  #refused({ number, code }) {
    const op = this.replica.refuse(number);
    this.#changed();
    // Points after a refused Begin are refused too; one word about it is enough.
    if (op && op.kind !== "points") this.news.tell("refused", CODES[code] ?? "unknown", op);
  }

  #held({ number }) {
    this.pencil.end();
    this.outbox.hold(number);
    this.#changed();
  }

  #roomState({ reason, used, quota, text }) {
    this.readOnly = reason === null ? null : { reason, text };
    Object.assign(this, { used, quota });
    if (reason === null) this.outbox.release();
    else this.pencil.end();
    this.#changed();
    this.flush();
  }

  #meet(roster) {
    this.crowd.meet(roster);
    const self = roster.members.find(({ member }) => member === this.member);
    if (self) {
      if (self.role !== this.role) this.news.tell("role", self.role);
      this.role = self.role;
      this.name = self.name;
    }
    this.news.tell("roster");
    this.#changed();
  }

  #error({ code, fatal, retryMs, text }) {
    const word = CODES[code] ?? "unknown";
    if (!fatal) return this.news.tell("refused", word, null);
    if (word === "gap" || word === "malformed") this.#forget();
    if (retryMs > 0) return this.#line.drop(retryMs);
    this.#line.hangUp();
    this.#become({ name: "over", code: word, text });
  }

  /** Reads the room anew at the next join. */
  #forget() {
    this.#seq = 0;
    this.#logId = 0n;
    this.#snapshot = null;
  }

  /** Many things change at once while others draw; who shows them is told once in a while. */
  #changed() {
    this.#tellsState ??= setTimeout(() => {
      this.#tellsState = null;
      this.news.tell("state");
    }, TICK_MS);
  }

  #become(status) {
    this.status = status;
    this.news.tell("status", status);
  }
}
