// Fingers, pens, keys, small screens and dark ones.

import assert from "node:assert/strict";
import { test } from "node:test";

import { becomes, ink, PHONE, settled, showing, visit } from "./browser.mjs";
import { stage, toolbar } from "./stage.mjs";

const on = stage();

test("a finger draws, two fingers move and zoom, and leave no ink", async () => {
  const phone = await visit(on.browser, on.link("artist"), "Ida", PHONE);
  const touch = await phone.context().newCDPSession(phone);
  const send = (type, ...points) => touch.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  await send("touchStart", [100, 400]);
  for (let i = 1; i <= 10; i++) await send("touchMove", [100 + 10 * i, 400 + i]);
  await send("touchEnd");
  await showing(1, phone);
  const before = await phone.evaluate(() => artnest.renderer.view.scale);
  await send("touchStart", [150, 400]);
  await send("touchStart", [150, 400], [240, 400]);
  for (let i = 1; i <= 10; i++) await send("touchMove", [150 - 8 * i, 400], [240 + 8 * i, 400]);
  await send("touchEnd");
  await phone.waitForFunction((scale) => artnest.renderer.view.scale > 1.5 * scale, before);
  await showing(1, phone);
});

test("a pen's pressure makes the width, and the pen wins over the palm", async () => {
  const page = await visit(on.browser, on.link("artist"), "Ida", PHONE);
  const cdp = await page.context().newCDPSession(page);
  const pen = (type, x, y, force) => cdp.send("Input.dispatchMouseEvent", {
    type, x, y, force, pointerType: "pen", button: "left", buttons: type === "mouseReleased" ? 0 : 1, clickCount: 1,
  });
  await pen("mousePressed", 80, 400, 0.1);
  for (let i = 1; i <= 12; i++) await pen("mouseMoved", 80 + 15 * i, 400, 0.1 + 0.07 * i);
  await pen("mouseReleased", 260, 400, 0);
  await showing(1, page);
  const pressures = await page.evaluate(() => [...[...artnest.session.drawing.strokes()][0].points].filter((_, i) => i % 3 === 2));
  assert.ok(pressures.at(0) < 60 && Math.max(...pressures) > 200, String(pressures));
  const touch = (type, ...points) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y]) => ({ x, y, id: 0 })) });
  await touch("touchStart", [100, 450]);
  for (let i = 1; i <= 8; i++) await touch("touchMove", [100 + 12 * i, 450]);
  await touch("touchEnd");
  await settled(page);
  await showing(1, page);
});

test("on a phone nothing is cut off, and everything is in reach", async () => {
  const phone = await visit(on.browser, on.link("owner"), "Ida", PHONE);
  const fits = () => phone.evaluate(() => {
    const outside = [];
    for (const element of document.querySelectorAll(".bar, .dock, .panel, .notice, .dock button")) {
      if (!element.checkVisibility()) continue;
      const { left, right, top, bottom } = element.getBoundingClientRect();
      if (left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5) outside.push(element.className);
    }
    return outside;
  });
  assert.deepEqual(await fits(), []);
  for (const name of ["Colour: Ink", "Brush", "Layers"]) {
    await phone.getByRole("button", { name, exact: true }).tap();
    assert.deepEqual(await fits(), [], name);
    await phone.keyboard.press("Escape");
  }
  for (const name of ["1 here", "Chat", "More"]) {
    await phone.getByRole("button", { name, exact: true }).tap();
    assert.deepEqual(await fits(), [], name);
    await phone.getByRole("button", { name, exact: true }).tap();
  }
  await phone.getByRole("button", { name: "Share", exact: true }).tap();
  assert.deepEqual(await fits(), [], "Share");
  await phone.keyboard.press("Escape");
  const bars = await phone.evaluate(() => [".bar-left", ".bar-right"].map((bar) => document.querySelector(bar).getBoundingClientRect()));
  assert.ok(bars[0].right <= bars[1].left, "the bars lie over one another");
});

test("the dark is dark by the system, by choice, and the sheet stays white", async () => {
  const page = await visit(on.browser, on.link("owner"), "Ada", { colorScheme: "dark" });
  const colours = () => page.evaluate(() => [
    getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.querySelector(".paper")).backgroundColor,
  ]);
  const [darkDesk, paper] = await colours();
  assert.equal(paper, "rgb(255, 255, 255)");
  await page.evaluate(() => localStorage.setItem("artnest-theme", "light"));
  await page.reload();
  await becomes(page, "live");
  const [lightDesk] = await colours();
  const lightness = (colour) => colour.match(/\d+/g).reduce((sum, each) => sum + Number(each), 0);
  assert.ok(lightness(darkDesk) < 150 && lightness(lightDesk) > 550, `${darkDesk}, ${lightDesk}`);
});

test("every control has a name, and the keys work without a pointer", async () => {
  const page = await visit(on.browser, on.link("owner"), "Ada");
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, a, input, select")]
    .filter((element) => element.checkVisibility() && !(element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length))
    .map((element) => element.outerHTML));
  assert.deepEqual(nameless, []);
  await page.keyboard.press("e");
  assert.equal(await toolbar(page, "Eraser").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keys and help" }).waitFor();
  await page.keyboard.press("Escape");
  const zoom = () => page.evaluate(() => artnest.renderer.view.scale);
  const before = await zoom();
  await page.keyboard.press("+");
  assert.ok((await zoom()) > before);
  await page.keyboard.press("1");
  assert.equal(await zoom(), before);
});
