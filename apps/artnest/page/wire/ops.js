// Operations, the words of which a drawing is made, to bytes and back. A record is an operation with its author and
// number, as everybody gets it.

import { Malformed } from "./bytes.js";

const BEGIN = 1, POINTS = 2, UNDO = 3, REDO = 4, CLEAR = 5, LOCK = 6, SAY = 7;
const ENDS = 1;

export function writeOp(writer, op) {
  switch (op.kind) {
    case "begin":
      return writer.u8(BEGIN).u8(op.layer).u8(op.eraser ? 1 : 0).bytes(op.rgba).u16(Math.round(op.size * 16))
        .u8(op.ends ? ENDS : 0).points(op.points);
    case "points":
      return writer.u8(POINTS).u32(op.stroke).u8(op.ends ? ENDS : 0).points(op.points);
    case "undo":
      return writer.u8(UNDO).u32(op.stroke);
    case "redo":
      return writer.u8(REDO).u32(op.stroke);
    case "clear":
      return writer.u8(CLEAR).u8(op.layer);
    case "lock":
      return writer.u8(LOCK).u8(op.layer).u8(op.locked ? 1 : 0);
    case "say":
      return writer.u8(SAY).text(op.text);
    default:
      throw new Error(`no such operation: ${op.kind}`);
  }
}

export function readOp(reader) {
  const kind = reader.u8();
  switch (kind) {
    case BEGIN:
      return {
        kind: "begin", layer: reader.u8(), eraser: reader.u8() === 1, rgba: [...reader.bytes(4)],
        size: reader.u16() / 16, ends: (reader.u8() & ENDS) !== 0, points: reader.points(),
      };
    case POINTS:
      return { kind: "points", stroke: reader.u32(), ends: (reader.u8() & ENDS) !== 0, points: reader.points() };
    case UNDO:
      return { kind: "undo", stroke: reader.u32() };
    case REDO:
      return { kind: "redo", stroke: reader.u32() };
    case CLEAR:
      return { kind: "clear", layer: reader.u8() };
    case LOCK:
      return { kind: "lock", layer: reader.u8(), locked: reader.u8() === 1 };
    case SAY:
      return { kind: "say", text: reader.text() };
    default:
      throw new Malformed(`operation ${kind} is not known`);
  }
}

export const readRecord = (reader) => ({ member: reader.u32(), number: reader.u32(), op: readOp(reader) });

/** All the records that fill what is left. */
export function readRecords(reader) {
  const records = [];
  while (!reader.isAtEnd) records.push(readRecord(reader));
  return records;
}
