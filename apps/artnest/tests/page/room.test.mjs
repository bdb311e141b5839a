// Drawing together in real Chromium windows, against the real server. `tests/page.rs` runs this with `node --test`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { difference, draw, ink, pixels, settled, showing, visit } from "./browser.mjs";
import { assertEqual, stage, toolbar } from "./stage.mjs";

const on = stage();

test("two windows draw and see each other, pixel by pixel", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await draw(ada, [300, 200], [500, 350], [650, 180]);
  await toolbar(grace, "Ultramarine").click();
  await draw(grace, [320, 400], [480, 220], [640, 420]);
  await toolbar(ada, "Vermilion").click();
  for (let i = 0; i < 12; i++) await ada.keyboard.press("]");
  await draw(ada, [420, 300], [560, 330], [450, 420]);
  await showing(3, ada, grace);
  assert.ok(ink(await pixels(ada)) > 1_000, "nothing was drawn");
  await assertEqual(ada, grace, "Ada and Grace");
  const late = await visit(on.browser, on.link("artist"), "Late");
  await showing(3, late);
  await assertEqual(ada, late, "who was there and who came later");
  assert.deepEqual([...ada.troubles, ...grace.troubles, ...late.troubles], []);
});

test("windows that draw over one another at the same time agree in the end", async () => {
  const pages = await Promise.all([["owner", "Ada"], ["artist", "Grace"]].map(([role, name]) => visit(on.browser, on.link(role), name)));
  const colours = ["Vermilion", "Ultramarine"];
  await Promise.all(pages.map((page, i) => toolbar(page, colours[i]).click()));
  await Promise.all(pages.map(async (page, i) => {
    for (let n = 0; n < 10; n++) await page.keyboard.press("]");
    for (let n = 0; n < 4; n++) await draw(page, [300 + 40 * n, 180 + 10 * i], [520 - 20 * n, 300], [330 + 50 * n, 420 - 15 * i]);
  }));
  await showing(8, ...pages);
  await assertEqual(...pages, "after the race");
});

test("undo takes back one's own last stroke everywhere, redo brings it back to its place", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await draw(ada, [300, 200], [600, 200]);
  await settled(ada);
  await draw(grace, [300, 260], [600, 260]);
  await showing(2, ada, grace);
  const both = await pixels(grace);
  await ada.keyboard.press("Control+z");
  await showing(1, ada, grace);
  await assertEqual(ada, grace, "after the undo");
  const [left] = await grace.evaluate(() => [...artnest.session.drawing.strokes()].filter((stroke) => stroke.isVisible).map(({ member }) => member));
  assert.equal(left, await grace.evaluate(() => artnest.session.member), "the wrong stroke was undone");
  await ada.keyboard.press("Control+Shift+z");
  await showing(2, ada, grace);
  assert.equal(difference(both, await pixels(grace)).count, 0, "redo is not the opposite of undo");
});

test("the eraser takes away from its own layer only", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.keyboard.press("Alt+Digit1");
  await toolbar(ada, "Vermilion").click();
  for (let i = 0; i < 14; i++) await ada.keyboard.press("]");
  await draw(ada, [300, 300], [600, 300]);
  await ada.keyboard.press("Alt+Digit3");
  await toolbar(ada, "Ultramarine").click();
  await draw(ada, [450, 200], [450, 400]);
  await toolbar(ada, "Eraser").click();
  await draw(ada, [380, 300], [520, 300]);
  await showing(3, ada, grace);
  const at = (page, x, y) => page.evaluate(([px, py]) => [...artnest.renderer.flatten(px, py, 1, 1).getContext("2d").getImageData(0, 0, 1, 1).data].slice(0, 3), [x, y]);
  assert.deepEqual(await at(grace, 450, 300), [0xe2, 0x43, 0x2b], "the lower layer shows through");
  await assertEqual(ada, grace, "after erasing");
});

test("a translucent stroke is laid on once, while it grows and after", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.evaluate(() => artnest.brush.change({ opacity: 40, feels: false }));
  for (let i = 0; i < 14; i++) await ada.keyboard.press("]");
  await draw(ada, [300, 300], [600, 300], [300, 305], [600, 310]);
  await showing(1, ada, grace);
  await assertEqual(ada, grace, "translucent");
  const colours = new Set();
  const bytes = await pixels(grace);
  for (let i = 0; i < bytes.length; i += 4) colours.add(bytes.readUInt32LE(i));
  const darkest = Math.min(...[...colours].map((colour) => colour & 255));
  assert.equal(darkest, Math.min(...[255 - Math.round((255 - 0x1b) * 0.4)]), "it was laid on twice");
});
