// What leaves a room as a picture, and pages that say what is the matter.

import assert from "node:assert/strict";
import { test } from "node:test";

import { draw, settled, visit, windowOf } from "./browser.mjs";
import { stage, toolbar } from "./stage.mjs";

const on = stage();

test("the exports show what the page shows", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  await draw(ada, [300, 200], [500, 350], [650, 180]);
  await toolbar(ada, "Vermilion").click();
  for (let i = 0; i < 12; i++) await ada.keyboard.press("]");
  await draw(ada, [350, 400], [600, 250]);
  await settled(ada);
  const means = await ada.evaluate(async (id) => {
    const { renderer, session } = window.artnest;
    const { view } = await import("/assets/render/view.js");
    const api = await import("/assets/api.js");
    renderer.view = view(0.25, 0, 0);
    while (!renderer.isComplete) await new Promise(requestAnimationFrame);
    const [width, height] = [session.drawing.sheet.width / 4, session.drawing.sheet.height / 4];
    const mine = renderer.flatten(0, 0, width, height).getContext("2d").getImageData(0, 0, width, height).data;
    const mean = async (path) => {
      const image = new Image();
      image.src = URL.createObjectURL(await (await api.file(id, path)).blob());
      await image.decode();
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0, width, height);
      const theirs = context.getImageData(0, 0, width, height).data;
      let [off, inked] = [0, 0];
      for (let i = 0; i < mine.length; i++) {
        off += Math.abs(mine[i] - theirs[i]);
        inked += 255 - mine[i];
      }
      return off / inked;
    };
    return { png: await mean("/export.png?scale=0.25"), svg: await mean("/export.svg") };
  }, on.room.room.id);
  // Two rasterisers smooth edges differently; a stroke that is elsewhere or as wide again would be far off.
  assert.ok(means.png < 0.1 && means.svg < 0.1, JSON.stringify(means));
});

test("the time-lapse ends with the drawing as it is", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  await draw(ada, [300, 200], [500, 350]);
  await draw(ada, [300, 400], [600, 250]);
  await ada.keyboard.press("Control+z");
  await settled(ada);
  const points = (page, of) => page.evaluate((path) => {
    const { drawing } = window.artnest[path];
    return [...drawing.strokes()].filter((stroke) => stroke.isVisible).map(({ points }) => [...points]);
  }, of);
  const drawn = await points(ada, "session");
  await ada.goto(`${on.server.url}/r/${on.room.room.id}/replay`);
  await ada.getByRole("slider", { name: "Where in the drawing" }).waitFor();
  await ada.getByLabel("Speed").selectOption("64");
  await ada.getByRole("button", { name: "Play" }).waitFor();
  await ada.waitForFunction(() => document.getElementById("seek").value === "1000");
  assert.deepEqual(await points(ada, "replica"), drawn);
  await ada.getByRole("slider", { name: "Where in the drawing" }).fill("0");
  await ada.waitForFunction(() => window.artnest.replica.drawing.size === 0);
  assert.deepEqual(ada.troubles, []);
});

test("a link that was renewed opens nothing, and the page says so", async () => {
  const page = await windowOf(on.browser, `${on.server.url}/r/aaaaaaaaaaaa#AAAAAAAAAAAAAAAAAAAAAA`, "Eve");
  await page.getByRole("heading", { name: "This door does not open" }).waitFor();
  assert.ok(!page.url().includes("#"), "the token stays in the address bar");
  await page.getByRole("link", { name: "To the gallery" }).click();
  await page.getByRole("heading", { name: "Draw together" }).waitFor();
});
