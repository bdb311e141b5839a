// The outline that the canvas fills is the union of the hulls that PROTOCOL.md names: held against it point by point.

import assert from "node:assert/strict";
import { test } from "node:test";

import { samples } from "../../../page/ink/geometry.js";
import { paint, paintDiscs } from "../../../page/ink/path.js";

/** Points nearer than this to the edge may be told either way: circles are polygons here, and joints may be flattened. */
const EDGE = 0.08;
const CIRCLE = 96;

/** A context that records what is filled, as polygons. */
class Recorder {
  polygons = [];
  beginPath() { this.polygons = []; }
  moveTo(x, y) { this.polygons.push([[x, y]]); }
  lineTo(x, y) { this.polygons.at(-1).push([x, y]); }
  closePath() {}
  arc(x, y, r, from, to) {
    for (let i = 0; i <= CIRCLE; i++) {
      const angle = from + ((to - from) * i) / CIRCLE;
      this.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
    }
  }
  fill(rule) { this.rule = rule; }
}

/** How often the polygons wind around a point. */
function winding(polygons, x, y) {
  let turns = 0;
  for (const polygon of polygons) {
    polygon.forEach(([ax, ay], i) => {
      const [bx, by] = polygon[(i + 1) % polygon.length];
      const side = (bx - ax) * (y - ay) - (x - ax) * (by - ay);
      if (ay <= y && by > y && side > 0) turns++;
      if (ay > y && by <= y && side < 0) turns--;
    });
  }
  return turns;
}

/** How far a point is outside the ink; negative within it. Straight from the definition. */
function outside(discs, x, y) {
  let least = Infinity;
  for (let i = 0; i < discs.length; i += 3) least = Math.min(least, Math.hypot(x - discs[i], y - discs[i + 1]) - discs[i + 2]);
  for (let i = 0; i + 5 < discs.length; i += 3) least = Math.min(least, outsideHull(discs.slice(i, i + 6), x, y));
  return least;
}

function outsideHull([ax, ay, ar, bx, by, br], x, y) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length <= Math.abs(ar - br)) return Infinity;
  const along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length;
  const away = Math.abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length;
  const sine = (ar - br) / length;
  const cosine = Math.sqrt(1 - sine * sine);
  // The foot of the point on the tangent, from where it touches the first disc.
  const foot = along * cosine - away * sine;
  return foot < 0 || foot > length * cosine ? Infinity : along * sine + away * cosine - ar;
}

let state = 7;
const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;

const STROKES = {
  "a gentle one": () => wander(24, 6, 0.4, () => 120 + 100 * random()),
  "a jagged one": () => wander(24, 14, 6, () => 255 * random()),
  "one that turns on the spot": () => wander(30, 0.6, 6, () => 255 * random()),
  "one that goes back and forth": () => Array.from({ length: 14 }, (_, i) => [i % 2 === 0 ? 10 : 60, 40 + (i % 3), 60 + 12 * i]).flat(),
};

function wander(count, step, turn, pressure) {
  let [x, y, angle] = [60, 60, random() * 6];
  return Array.from({ length: count }, () => {
    angle += (random() - 0.5) * turn;
    x += step * Math.cos(angle);
    y += step * Math.sin(angle);
    return [x, y, Math.floor(pressure())];
  }).flat();
}

for (const [name, make] of Object.entries(STROKES)) {
  test(`fills exactly the ink of a stroke: ${name}`, () => {
    for (let round = 0; round < 25; round++) {
      const points = make();
      const size = 2 + 30 * random();
      const context = new Recorder();
      paint(context, { points, size, colour: "#000" });
      assert.equal(context.rule, "nonzero");
      const discs = samples(points, size);
      for (let i = 0; i < 150; i++) {
        const at = 3 * Math.floor(random() * (discs.length / 3));
        const [x, y] = [discs[at] + (random() - 0.5) * 2.4 * size, discs[at + 1] + (random() - 0.5) * 2.4 * size];
        const distance = outside(discs, x, y);
        if (Math.abs(distance) < EDGE) continue;
        const turns = winding(context.polygons, x, y);
        assert.equal(turns !== 0, distance < 0, `${name}: (${x}, ${y}) is ${distance} outside and is wound ${turns} times`);
      }
    }
  });
}

test("a run of discs, of which some hold others, is filled as their hulls", () => {
  const discs = [10, 10, 5, 12, 10, 1, 30, 10, 6, 31, 10, 9, 60, 10, 2, 60.5, 10, 1];
  const context = new Recorder();
  paintDiscs(context, discs, "#000");
  for (let x = 0; x < 75; x += 0.37) {
    for (let y = -2; y < 22; y += 0.37) {
      const distance = outside(discs, x, y);
      if (Math.abs(distance) >= EDGE) assert.equal(winding(context.polygons, x, y) !== 0, distance < 0, `(${x}, ${y})`);
    }
  }
});
