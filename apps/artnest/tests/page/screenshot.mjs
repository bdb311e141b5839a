// Takes the pictures in the documents, of a server of their own: ARTNEST_BIN=target/debug/artnest node screenshot.mjs FOLDER

import { join } from "node:path";

import { draw, launch, PHONE, settled, showing, visit, windowOf } from "./browser.mjs";
import { drawHarbour } from "./harbour.mjs";
import { createRoom, Server } from "./server.mjs";

const folder = process.argv[2] ?? ".";
const SCREEN = { viewport: { width: 1_280, height: 800 }, deviceScaleFactor: 1 };

/** One more gull, as a hand draws it. */
const gull = (x, y) => Array.from({ length: 13 }, (_, i) => [x + (i - 6) * 6, y - 15 * Math.abs(Math.sin(((i - 6) * Math.PI) / 8))]);

const server = await Server.start();
const browser = await launch();
try {
  const { links } = await createRoom(server.url, { name: "Harbour at dusk", visibility: "public" });
  const [owner, artist] = [links.owner, links.artist].map(({ path }) => server.url + path);
  const ada = await visit(browser, owner, "Ada Lovelace", SCREEN);
  const grace = await visit(browser, artist, "Grace Hopper", SCREEN);
  await drawHarbour(ada);
  const strokes = await ada.evaluate(() => artnest.session.drawing.size);
  await showing(strokes, grace);
  await grace.evaluate(() => { artnest.brush.colour = "#f7f4ec"; });
  await draw(grace, ...gull(985, 190));
  await settled(grace);
  await showing(strokes + 1, ada);
  await ada.mouse.move(560, 300);
  await ada.waitForTimeout(500);
  await ada.screenshot({ path: join(folder, "artnest.png") });

  const phone = await visit(browser, artist, "Ida", { ...PHONE, colorScheme: "dark" });
  await showing(strokes + 1, phone);
  await phone.getByRole("button", { name: /^Colour/ }).tap();
  await phone.waitForTimeout(400);
  await phone.screenshot({ path: join(folder, "artnest-phone.png") });

  const gallery = await windowOf(browser, server.url, "Ada Lovelace", SCREEN);
  await gallery.locator("#open .card img").waitFor();
  await gallery.waitForTimeout(4_000);
  await gallery.screenshot({ path: join(folder, "artnest-gallery.png") });
} finally {
  await browser.close();
  await server.stop();
}
