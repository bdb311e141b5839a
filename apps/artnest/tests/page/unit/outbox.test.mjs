// The queue of operations: numbers without a gap, nothing lost, nothing sent twice on one connection.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../../page/session/outbox.js";

const LIMITS = { opPoints: 4, frameBytes: 60 };
const begin = (...points) => ({ kind: "begin", layer: 0, eraser: false, rgba: [0, 0, 0, 255], size: 4, ends: false, points });
const say = (text) => ({ kind: "say", text });

/** A disk that remembers, as IndexedDB does: copies, not references. */
class Memory {
  rows = new Map();
  put(items) { for (const item of items) this.rows.set(item.number, structuredClone(item)); }
  drop(until) { for (const number of this.rows.keys()) if (number <= until) this.rows.delete(number); }
  replace(items) { this.rows.clear(); this.put(items); }
  items() { return structuredClone([...this.rows.values()]); }
}

function outbox(items = []) {
  const disk = new Memory();
  disk.put(items);
  return { disk, box: new Outbox(disk, items) };
}

const sentBy = (box) => {
  const numbers = [];
  for (let batch; (batch = box.next());) batch.ops.forEach((_, i) => numbers.push(batch.first + i));
  return numbers;
};

test("operations go out once, in order, split by the limits of a frame", () => {
  const { box } = outbox();
  box.open(0, LIMITS);
  for (let i = 0; i < 9; i++) box.push(say("0123456789"));
  const first = box.next();
  assert.equal(first.first, 1);
  assert.equal(first.ops.length, 4, "thirteen bytes each, sixty in all");
  assert.deepEqual(sentBy(box), [5, 6, 7, 8, 9]);
  assert.equal(box.next(), null);
});

test("an operation that alone is larger than a frame is still sent", () => {
  const { box } = outbox();
  box.open(0, { ...LIMITS, frameBytes: 10 });
  box.push(say("longer than the frame"));
  assert.deepEqual(sentBy(box), [1]);
});

test("after a loss of the line, what is undecided is sent again, and nothing else", () => {
  const { box, disk } = outbox();
  box.open(0, LIMITS);
  for (let i = 0; i < 5; i++) box.push(say("x"));
  box.write();
  sentBy(box);
  box.decide(2);
  box.open(3, LIMITS);
  assert.deepEqual(sentBy(box), [4, 5]);
  assert.deepEqual(disk.items().map(({ number }) => number), [4, 5]);
});

test("a tab that opens on the disk of a closed one goes on with its numbers", () => {
  const before = outbox();
  before.box.open(0, LIMITS);
  before.box.push(say("a"));
  before.box.push(say("b"));
  before.box.write();
  const after = outbox(before.disk.items());
  after.box.open(1, LIMITS);
  assert.equal(after.box.push(say("c")), 3);
  assert.deepEqual(sentBy(after.box), [2, 3]);
});

test("a tab with nothing on its disk goes on after what the server knows of it", () => {
  const { box } = outbox();
  box.open(41, LIMITS);
  assert.equal(box.push(say("a")), 42);
});

test("points join the last operation of their stroke until it is sent, is full, or they are too far", () => {
  const { box } = outbox();
  box.open(0, LIMITS);
  const op = begin(0, 0, 255);
  const number = box.push(op);
  assert.equal(box.openFor(number, 1, 1), op);
  assert.equal(box.openFor(number, 5_000, 1), null, "too far for two bytes");
  op.points.push(1, 1, 255, 2, 2, 255, 3, 3, 255);
  assert.equal(box.openFor(number, 4, 4), null, "full");
  const more = { kind: "points", stroke: number, ends: false, points: [] };
  box.push(more);
  assert.equal(box.openFor(number, 4, 4), more);
  sentBy(box);
  assert.equal(box.openFor(number, 5, 5), null, "sent");
});

test("what grows after it was written is written again", () => {
  const { box, disk } = outbox();
  box.open(0, LIMITS);
  const number = box.push(begin(0, 0, 255));
  box.write();
  box.openFor(number, 1, 1).points.push(1, 1, 255);
  box.write();
  assert.deepEqual(disk.items()[0].op.points, [0, 0, 255, 1, 1, 255]);
});

test("held operations wait, and go out again from the first held one", () => {
  const { box } = outbox();
  box.open(0, LIMITS);
  for (let i = 0; i < 4; i++) box.push(say("x"));
  sentBy(box);
  box.hold(3);
  assert.equal(box.next(), null);
  box.release();
  assert.deepEqual(sentBy(box), [3, 4]);
});

test("strokes that are held off can be taken back; what follows moves up with its references", () => {
  const { box, disk } = outbox();
  box.open(10, LIMITS);
  box.push(say("decided soon"));
  const gone = box.push(begin(0, 0, 255));
  const kept = box.push(begin(5, 5, 255));
  box.push({ kind: "points", stroke: gone, ends: true, points: [] });
  box.push({ kind: "points", stroke: kept, ends: true, points: [] });
  box.hold(12);
  assert.deepEqual([...box.heldStrokes], [gone, kept]);
  const { gone: numbers, moved } = box.retract(new Set([gone]));
  assert.deepEqual(numbers, [12, 14]);
  assert.ok(box.isHeld, "a stroke still waits");
  assert.deepEqual(box.items.map(({ number, op }) => [number, op.kind, op.stroke]), [
    [11, "say", undefined], [12, "begin", undefined], [13, "points", 12],
  ]);
  assert.deepEqual([...moved], [[13, 12], [15, 13]]);
  assert.deepEqual(disk.items(), box.items);
  assert.equal(box.push(say("next")), 14);
});

test("a server that was set back to a backup gets the rest under the numbers it expects", () => {
  const { box } = outbox();
  box.open(20, LIMITS);
  box.push({ kind: "points", stroke: 15, ends: true, points: [] });
  const stroke = box.push(begin(0, 0, 255));
  box.push({ kind: "points", stroke, ends: true, points: [] });
  box.open(7, LIMITS);
  assert.deepEqual(box.items.map(({ number, op }) => [number, op.kind, op.stroke]), [[8, "begin", undefined], [9, "points", 8]]);
  assert.deepEqual(sentBy(box), [8, 9]);
});

test("in a full room an undo goes out once no stroke waits before it", () => {
  const { box } = outbox();
  box.open(0, LIMITS);
  const stroke = box.push(begin(0, 0, 255));
  box.push({ kind: "undo", stroke: 99 });
  sentBy(box);
  box.hold(stroke);
  box.retract(new Set([stroke]));
  assert.ok(!box.isHeld);
  assert.deepEqual(box.next(), { first: 1, ops: [{ kind: "undo", stroke: 99 }] });
});

test("taking back when nothing waits is nothing", () => {
  const { box } = outbox();
  box.open(3, LIMITS);
  assert.deepEqual(box.retract(new Set([1])), { gone: [], moved: new Map() });
  assert.equal(box.push(say("x")), 4);
});
