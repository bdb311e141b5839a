// From points to ink: the samples against `tests/golden/geometry.json`, which the server's tests read too, and what must
// hold for any stroke.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bend, bounds, disc, isEven, middle, overlap, radius, samples } from "../../../page/ink/geometry.js";

const golden = JSON.parse(readFileSync(new URL("../../golden/geometry.json", import.meta.url)));
/** Discs in the file are rounded to so much of a unit. */
const TOLERANCE = 0.001;

for (const { name, size, points, discs } of golden) {
  test(`samples the golden stroke: ${name}`, () => {
    const flat = samples(points.flat(), size);
    assert.equal(flat.length, discs.length * 3);
    discs.flat().forEach((value, i) => assert.ok(Math.abs(value - flat[i]) <= TOLERANCE, `value ${i}: ${flat[i]}, not ${value}`));
  });
}

test("a full pen is as wide as the brush, one without pressure a seventh of it", () => {
  assert.equal(radius(10, 255), 5);
  assert.equal(radius(10, 0), 0.75);
});

test("a new point changes nothing before the middle of the last line", () => {
  const points = zigzag(9);
  const before = samples(points, 6);
  const after = samples([...points, 300, 10, 80], 6);
  const settled = before.length - 3;
  assert.deepEqual(after.slice(0, settled), before.slice(0, settled));
});

test("a stroke drawn piece by piece has the samples of the whole", () => {
  const points = zigzag(12);
  const whole = samples(points, 6);
  let pieces = disc(points, 0, 6);
  for (let i = 1; i <= 10; i++) {
    // Each piece starts where the one before it ended, as the renderer draws it.
    const piece = i === 1 ? [] : middle(points, i, 6);
    bend(piece, points, i, 6);
    pieces = pieces.concat(i === 1 ? piece : piece.slice(3));
  }
  assert.deepEqual([...pieces, ...disc(points, 11, 6)], whole);
});

test("the box holds all discs", () => {
  const points = zigzag(20);
  const [left, top, right, bottom] = bounds(points, 14);
  const discs = samples(points, 14);
  for (let i = 0; i < discs.length; i += 3) {
    const [x, y, r] = discs.slice(i, i + 3);
    assert.ok(x - r >= left && x + r <= right && y - r >= top && y + r <= bottom, `disc ${i / 3}`);
  }
});

test("strokes of nothing, of one point and of equal points are strokes", () => {
  assert.deepEqual(samples([], 5), []);
  assert.deepEqual(samples([1, 2, 255], 4), [1, 2, 2]);
  assert.ok(samples([1, 2, 255, 1, 2, 255, 1, 2, 255], 4).every(Number.isFinite));
  assert.ok(!overlap(bounds([], 5), [-1e9, -1e9, 1e9, 1e9]), "nothing touches nothing");
});

test("evenness looks at every pressure", () => {
  assert.ok(isEven([0, 0, 9, 1, 1, 9, 2, 2, 9]));
  assert.ok(!isEven([0, 0, 9, 1, 1, 9, 2, 2, 8]));
});

function zigzag(count) {
  return Array.from({ length: count }, (_, i) => [i * 17.25, i % 2 === 0 ? 40 : 3.5 * i, (i * 37) % 256]).flat();
}
