// The times of a time-lapse.

import assert from "node:assert/strict";
import { test } from "node:test";

import { asScript } from "../../../page/ui/script.js";

const entries = (...times) => times.map((time, i) => ({ record: i, time }));

test("records play as they were drawn, and nobody waits through a night", () => {
  const { times, length } = asScript(entries(1_000, 1_040, 90_000_000));
  assert.deepEqual(times, [0, 40, 840]);
  assert.equal(length, 841);
});

test("what came in one batch unfolds over it, in order", () => {
  const { times } = asScript(entries(500, 500, 500, 500, 540));
  assert.ok(times.every((time, i) => i === 0 || time >= times[i - 1]), String(times));
  assert.ok(times[3] > times[0] && times[3] < 50);
});

test("a clock that was set back stops nothing", () => {
  const { times } = asScript(entries(5_000, 1_000, 1_040));
  assert.ok(times.every((time, i) => i === 0 || time >= times[i - 1]), String(times));
});

test("what a forgotten past left is there from the start", () => {
  assert.deepEqual(asScript([...entries(null, null), { record: 2, time: 7 }]).times, [0, 0, 0]);
});

test("an empty history has no length", () => {
  assert.deepEqual(asScript([]), { records: [], times: [], length: 0 });
});
