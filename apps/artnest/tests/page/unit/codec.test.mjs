// The page's codec against the bytes that the server's tests hold: `tests/golden/frames.json`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { Malformed, Reader, Writer } from "../../../page/wire/bytes.js";
import * as frames from "../../../page/wire/frames.js";
import { readRecords } from "../../../page/wire/ops.js";

const golden = JSON.parse(readFileSync(new URL("../../golden/frames.json", import.meta.url)));
const ofServer = golden.filter(({ from }) => from === "server");
const ofClient = golden.filter(({ from }) => from === "client");

const bytesOf = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = (bytes) => Buffer.from(bytes).toString("hex");

/** Points as the golden file has them, in sixteenths, and as the page has them. */
const flat = (points) => points.flatMap(([x, y, pressure]) => [x / 16, y / 16, pressure]);
const triples = (points) => Array.from({ length: points.length / 3 }, (_, i) => [points[3 * i] * 16, points[3 * i + 1] * 16, points[3 * i + 2]]);

function opOf({ tool, colour, size, points, ...rest }) {
  const op = { ...rest };
  if (points) op.points = flat(points);
  if (op.kind !== "begin") return op;
  return { ...op, eraser: tool === "eraser", rgba: [...bytesOf(colour.slice(1))], size: size / 16 };
}

const ENCODE = {
  "01": ({ key, log_id, seq, token, name }) => frames.join({ key: bytesOf(key), logId: BigInt(log_id), seq, token, name }),
  "02": ({ first, ops }) => frames.ops(first, ops.map(opOf)),
  "03": ({ x, y, state }) => frames.cursor(x / 16, y / 16, state),
  "04": ({ name }) => frames.rename(name),
  "05": ({ member, role }) => frames.setRole(member, frames.ROLES[role]),
  "06": ({ member, ban }) => frames.kick(member, ban),
  "07": ({ nonce }) => frames.ping(nonce),
};

for (const { name, hex, value } of ofClient) {
  test(`writes the golden frame ${name}`, () => {
    assert.equal(hexOf(ENCODE[hex.slice(0, 2)](value)), hex);
  });
}

const roleNumber = (role) => frames.ROLES.indexOf(role);
const reasonNumber = (reason) => frames.READ_ONLY.indexOf(reason);

/** A frame that was read, in the words of the golden file. */
const AS_GOLDEN = {
  welcome: (f) => ({
    version: f.version, member: f.member, role: roleNumber(f.role), log_id: String(f.logId), seq: f.seq, last_op: f.lastOp,
    resumes: f.resumes, now: f.now, width: f.sheet.width, height: f.sheet.height, points_max: f.limits.opPoints,
    stroke_points_max: f.limits.strokePoints, frame_bytes_max: f.limits.frameBytes, room: f.room, name: f.name,
  }),
  roster: (f) => ({ replace: f.replaces, entries: f.members.map(({ role, ...rest }) => ({ ...rest, role: roleNumber(role) })) }),
  snapshotBegin: ({ type, ...rest }) => rest,
  snapshotPart: (f) => ({ index: f.index, packed: hexOf(f.packed) }),
  log: (f) => ({
    at: f.time, first: f.seq,
    records: f.records.map(({ op, ...rest }) => ({ ...rest, op: { ...op, points: triples(op.points) } })),
  }),
  ack: ({ type, ...rest }) => rest,
  refused: ({ type, ...rest }) => rest,
  held: (f) => ({ number: f.number, reason: reasonNumber(f.reason) }),
  roomState: (f) => ({ reason: reasonNumber(f.reason), used: f.used, quota: f.quota, text: f.text }),
  cursors: (f) => ({ replace: f.replaces, entries: f.cursors.map(({ member, at: [x, y], state }) => ({ member, x: x * 16, y: y * 16, state })) }),
  pong: (f) => ({ nonce: String(f.nonce), now: f.now }),
  error: (f) => ({ code: f.code, fatal: f.fatal, retry_ms: f.retryMs, text: f.text }),
};

for (const { name, hex, value } of ofServer) {
  test(`reads the golden frame ${name}`, () => {
    const frame = frames.read(bytesOf(hex));
    assert.deepEqual(AS_GOLDEN[frame.type](frame), value);
  });
}

test("every kind of frame of the server is in the golden file", () => {
  const kinds = new Set(ofServer.map(({ hex }) => frames.read(bytesOf(hex)).type));
  assert.deepEqual([...kinds].sort(), Object.keys(AS_GOLDEN).sort());
});

test("a frame that is cut anywhere, or has a byte too many, is malformed", () => {
  for (const { hex } of ofServer) {
    const bytes = bytesOf(hex);
    const takesTheRest = hex.startsWith("84");
    for (let length = 0; length < bytes.length && !takesTheRest; length++) {
      assert.throws(() => frames.read(bytes.subarray(0, length)), Malformed, `${hex} cut at ${length}`);
    }
    if (!takesTheRest) assert.throws(() => frames.read(new Uint8Array([...bytes, 0])), Malformed, hex);
  }
});

test("whatever bytes come, reading ends with a frame or with Malformed", () => {
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256));
    if (bytes.length > 0 && round % 2 === 0) bytes[0] = 0x81 + Math.floor(random() * 12);
    try {
      frames.read(bytes);
    } catch (error) {
      assert.ok(error instanceof Malformed, `${hexOf(bytes)}: ${error}`);
    }
  }
});

test("operations outgrow the writer's first buffer", () => {
  const points = Array.from({ length: 3_000 }, (_, i) => (i % 3 === 2 ? i % 256 : i / 16));
  const op = { kind: "begin", layer: 2, eraser: false, rgba: [1, 2, 3, 4], size: 5.5, ends: true, points };
  const bytes = frames.ops(1, [op]);
  assert.equal(bytes.length, 7 + frames.lengthOf(op));
  const records = new Writer().u32(9).u32(1).bytes(bytes.subarray(7)).done();
  assert.deepEqual(readRecords(new Reader(records)), [{ member: 9, number: 1, op }]);
});
