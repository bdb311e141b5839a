// What a hand does becomes points (`input/shaper.js`), and a view of the sheet (`render/view.js`).

import assert from "node:assert/strict";
import { test } from "node:test";

import { Shaper } from "../../../page/input/shaper.js";
import * as view from "../../../page/render/view.js";

const at = (x, y, time, pressure = 0.5) => ({ x, y, time, pressure });

test("a pen's pressure is the stroke's, and no hand is steadied that does not ask for it", () => {
  const shaper = new Shaper({ steadyMs: 0, feels: "pen" });
  assert.deepEqual(shaper.start(at(0, 0, 0, 0.2)), { x: 0, y: 0, pressure: 51 });
  assert.deepEqual(shaper.move(at(10, 0, 8, 1)), { x: 10, y: 0, pressure: 255 });
});

test("without a pen, a fast stroke is thinner than a slow one", () => {
  const stroke = (step) => {
    const shaper = new Shaper({ steadyMs: 0, feels: "speed" });
    shaper.start(at(0, 0, 0));
    let last;
    for (let i = 1; i <= 20; i++) last = shaper.move(at(i * step, 0, i * 8)) ?? last;
    return last.pressure;
  };
  assert.ok(stroke(24) < stroke(8) && stroke(8) < stroke(1), `${stroke(24)}, ${stroke(8)}, ${stroke(1)}`);
});

test("an even brush has full pressure, whatever the device says", () => {
  const shaper = new Shaper({ steadyMs: 0, feels: "none" });
  assert.equal(shaper.start(at(0, 0, 0, 0)).pressure, 255);
});

test("points that say nothing new are left out", () => {
  const shaper = new Shaper({ steadyMs: 0, feels: "pen" });
  shaper.start(at(0, 0, 0));
  assert.equal(shaper.move(at(0.3, 0, 8)), null);
  assert.notEqual(shaper.move(at(0.4, 0, 16, 0.9)), null, "the pressure is news");
});

test("a steadied stroke trails the hand and ends where the hand was", () => {
  const shaper = new Shaper({ steadyMs: 40, feels: "none" });
  shaper.start(at(0, 0, 0));
  const kept = shaper.move(at(100, 0, 8));
  assert.ok(kept.x > 0 && kept.x < 50, String(kept.x));
  assert.deepEqual(shaper.end(at(100, 0, 8)), { x: 100, y: 0, pressure: 255 });
});

test("the whole sheet fits between the bars, in the middle", () => {
  const { scale, x, y } = view.fit({ width: 200, height: 100 }, [0, 50, 1_000, 450]);
  assert.ok(200 * scale <= 1_000 && 100 * scale <= 400);
  assert.equal(x, Math.round((1_000 - 200 * scale) / 2));
  assert.equal(y, Math.round(50 + (400 - 100 * scale) / 2));
});

test("zooming keeps the point under the pointer, within a pixel, and stops at its ends", () => {
  const before = view.view(1, 30, 40);
  const after = view.zoomAt(before, 3, 200, 100, 1);
  const [ux, uy] = view.toSheet(before, 200, 100);
  const [px, py] = view.toScreen(after, ux, uy);
  assert.ok(Math.abs(px - 200) <= 0.5 && Math.abs(py - 100) <= 0.5);
  assert.equal(view.zoomAt(before, 1e9, 0, 0, 2).scale, 2 * view.ZOOM_MAX);
  assert.equal(view.zoomAt(before, 1e-9, 0, 0, 2).scale, 2 * view.ZOOM_MIN);
});

test("a corner of the sheet stays in reach", () => {
  const { x, y } = view.keepInReach(view.view(1, 5_000, -5_000), { width: 200, height: 100 }, 800, 600, 80);
  assert.deepEqual([x, y], [720, -20]);
});
