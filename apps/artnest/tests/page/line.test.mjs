// What becomes of strokes when the line breaks, the tab closes, the server is killed, the room is full.

import assert from "node:assert/strict";
import { test } from "node:test";

import { becomes, draw, scribbleAside, settled, showing, visit } from "./browser.mjs";
import { proxyTo } from "./proxy.mjs";
import { assertEqual, stage } from "./stage.mjs";

const on = stage();

test("an offline tab draws on, and all of it arrives, once", async (context) => {
  const proxy = await proxyTo(on.server.port);
  context.after(() => proxy.close());
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist", proxy.url), "Grace");
  await draw(grace, [300, 200], [500, 200]);
  await showing(1, ada, grace);
  proxy.cut();
  await grace.getByText("The line is down.").waitFor();
  await draw(grace, [300, 260], [500, 260]);
  await draw(grace, [300, 320], [500, 320]);
  await draw(grace, [300, 380], [500, 380]);
  await grace.keyboard.press("Control+z");
  await grace.getByText(/3 strokes? kept here/).waitFor();
  await draw(ada, [300, 230], [500, 290]);
  proxy.mend();
  await becomes(grace, "live");
  await showing(4, ada, grace);
  await assertEqual(ada, grace, "after the reunion");
});

test("a line that breaks in the middle of strokes, again and again, loses and doubles nothing", async (context) => {
  const proxy = await proxyTo(on.server.port);
  context.after(() => proxy.close());
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist", proxy.url), "Grace");
  for (let round = 0; round < 6; round++) {
    const y = 180 + 40 * round;
    await grace.mouse.move(300, y);
    await grace.mouse.down();
    await grace.mouse.move(420, y + 10, { steps: 12 });
    proxy.cut();
    await grace.mouse.move(560, y - 10, { steps: 12 });
    await grace.mouse.up();
    proxy.mend();
    if (round % 2 === 0) await becomes(grace, "live");
  }
  await settled(grace);
  await showing(6, ada, grace);
  const pointsOf = (page) => page.evaluate(() => [...artnest.session.drawing.strokes()].map(({ points }) => [...points]).sort());
  assert.deepEqual(await pointsOf(ada), await pointsOf(grace));
  await assertEqual(ada, grace, "after six breaks");
});

test("strokes of a tab that was closed offline are sent by the next one", async (context) => {
  const proxy = await proxyTo(on.server.port);
  context.after(() => proxy.close());
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist", proxy.url), "Grace");
  proxy.cut();
  await grace.getByText("The line is down.").waitFor();
  await draw(grace, [300, 260], [500, 260]);
  await draw(grace, [300, 320], [500, 320]);
  await grace.getByText(/2 strokes kept here/).waitFor();
  const profile = grace.context();
  await grace.close();
  proxy.mend();
  const again = await profile.newPage();
  await again.goto(on.link("artist", proxy.url));
  await becomes(again, "live");
  await showing(2, ada, again);
  await assertEqual(ada, again, "after the return");
  // What was sent is not sent by yet another tab.
  const third = await profile.newPage();
  await third.goto(on.link("artist", proxy.url));
  await becomes(third, "live");
  await showing(2, ada, third);
});

test("kill -9 of the server: what was acknowledged is there, what was not is sent again", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await draw(ada, [300, 200], [500, 240]);
  await settled(ada);
  await grace.mouse.move(300, 300);
  await grace.mouse.down();
  await grace.mouse.move(400, 320, { steps: 10 });
  await on.server.kill();
  await grace.mouse.move(560, 280, { steps: 10 });
  await grace.mouse.up();
  await draw(ada, [300, 380], [500, 340]);
  await on.server.again();
  await settled(ada);
  await settled(grace);
  await showing(3, ada, grace);
  await assertEqual(ada, grace, "after the crash");
});

test("a full room says so, keeps what it did not take, and takes it when there is room", async () => {
  const { id } = on.room.room;
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await draw(grace, [300, 200], [500, 200]);
  await showing(1, ada, grace);
  // The stroke is under way when the room gets full: its beginning is taken, the rest is not.
  await grace.mouse.move(300, 300);
  await grace.mouse.down();
  await showing(2, ada);
  await on.server.order("rooms", "quota", id, "0");
  await grace.mouse.move(500, 300, { steps: 10 });
  await grace.mouse.up();
  for (const page of [ada, grace]) await page.getByText("Nobody can draw just now.").waitFor();
  await draw(ada, [300, 400], [500, 400]);
  await ada.locator(".toast").waitFor();
  await on.server.order("rooms", "quota", id, "64");
  await settled(grace);
  await showing(2, ada, grace);
  await assertEqual(ada, grace, "when there is room again");
});

test("in a full room, one's own strokes can still be undone, also those that it did not take", async () => {
  const { id } = on.room.room;
  await on.server.order("rooms", "quota", id, "1");
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await draw(grace, [300, 200], [500, 200]);
  await settled(grace);
  // Five bytes a point: more than a mebibyte.
  await scribbleAside(ada, 260_000);
  await ada.getByText(/strokes? of yours waits?\./).waitFor();
  await grace.getByText("Nobody can draw just now.").waitFor();
  await grace.keyboard.press("Control+z");
  const undone = (page) => page.waitForFunction(() => [...artnest.session.drawing.strokes()].some((stroke) => stroke.undone));
  await undone(ada);
  await settled(grace);
  await ada.getByRole("button", { name: "Take back" }).click();
  await settled(ada);
  await ada.keyboard.press("Control+z");
  await settled(ada);
});
