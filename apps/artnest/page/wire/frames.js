// The frames of PROTOCOL.md, version 1: what the page says as bytes, and what the server says as plain objects.

import { Malformed, Reader, Writer } from "./bytes.js";
import { readRecord, writeOp } from "./ops.js";

export const VERSION = 1;
export const SUBPROTOCOL = "artnest.1";

export const ROLES = ["viewer", "artist", "owner"];
export const READ_ONLY = [null, "quota", "disk", "store", "closing"];
export const CURSOR = { away: 0, pointing: 1, drawing: 2 };

export const join = ({ key, logId, seq, token, name }) =>
  new Writer().u8(0x01).u16(VERSION).bytes(key).u64(logId).u64(seq).text(token).text(name).done();

/** `ops` are numbered `first`, `first` + 1, … */
export function ops(first, ops) {
  const writer = new Writer().u8(0x02).u32(first).u16(ops.length);
  for (const op of ops) writeOp(writer, op);
  return writer.done();
}

/** The bytes that an operation takes in a frame. */
export const lengthOf = (op) => writeOp(new Writer(), op).done().length;

export const cursor = (x, y, state) => new Writer().u8(0x03).pos(x, y).u8(state).done();
export const rename = (name) => new Writer().u8(0x04).text(name).done();
export const setRole = (member, role) => new Writer().u8(0x05).u32(member).u8(ROLES.indexOf(role)).done();
export const kick = (member, bans) => new Writer().u8(0x06).u32(member).u8(bans ? 1 : 0).done();
export const ping = (nonce) => new Writer().u8(0x07).u64(nonce).done();

const READERS = {
  0x81: (r) => ({
    type: "welcome", version: r.u16(), member: r.u32(), role: role(r), logId: r.big64(), seq: r.u64(), lastOp: r.u32(),
    resumes: r.u8() === 1, now: r.u64(), sheet: { width: r.u16(), height: r.u16() },
    limits: { opPoints: r.u16(), strokePoints: r.u32(), frameBytes: r.u32() }, room: r.text(), name: r.text(),
  }),
  0x82: (r) => ({
    type: "roster", replaces: r.u8() === 1,
    members: r.list(r.u16(), () => ({ member: r.u32(), here: r.u8() === 1, role: role(r), name: r.text() })),
  }),
  0x83: (r) => ({ type: "snapshotBegin", seq: r.u64(), parts: r.u32(), records: r.u32(), bytes: r.u32() }),
  0x84: (r) => ({ type: "snapshotPart", index: r.u32(), packed: r.rest() }),
  0x85: (r) => ({ type: "log", seq: r.u64(), time: r.u64(), records: r.list(r.u16(), readRecord) }),
  0x86: (r) => ({ type: "ack", number: r.u32(), seq: r.u64() }),
  0x87: (r) => ({ type: "refused", number: r.u32(), code: r.u16(), text: r.text() }),
  0x88: (r) => ({ type: "held", number: r.u32(), reason: readOnly(r) }),
  0x89: (r) => ({ type: "roomState", reason: readOnly(r), used: r.u64(), quota: r.u64(), text: r.text() }),
  0x8a: (r) => ({
    type: "cursors", replaces: r.u8() === 1,
    cursors: r.list(r.u16(), () => ({ member: r.u32(), at: r.pos(), state: r.u8() })),
  }),
  0x8b: (r) => ({ type: "pong", nonce: r.u64(), now: r.u64() }),
  0x8c: (r) => ({ type: "error", code: r.u16(), fatal: r.u8() === 1, retryMs: r.u32(), text: r.text() }),
};

/** A frame from the server. Throws `Malformed` on anything that is not one. */
export function read(bytes) {
  const reader = new Reader(bytes);
  const type = reader.u8();
  const frame = READERS[type]?.(reader);
  if (!frame) throw new Malformed(`frame 0x${type.toString(16)} is not known`);
  if (!reader.isAtEnd) throw new Malformed("the frame has bytes left over");
  return frame;
}

/** The frames of a stream in which each stands behind its length. */
export function* readStream(bytes) {
  const reader = new Reader(bytes);
  while (!reader.isAtEnd) yield read(reader.bytes(reader.u32()));
}

function role(reader) {
  return ROLES[reader.u8()] ?? "viewer";
}

/** A reason that is not known is a reason all the same. */
function readOnly(reader) {
  const reason = READ_ONLY[reader.u8()];
  return reason === undefined ? "store" : reason;
}
