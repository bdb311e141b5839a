// Debian's Chromium with a few windows on rooms, as the tests and the screenshots use them.

import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
/** Nothing takes so long, unless it does not happen at all; machines that test have much else to do. */
const PATIENCE_MS = 90_000;
export const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

export async function launch() {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing; run \`cargo xtask setup\``);
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

/** What a window complained about: errors of its scripts, and breaches of its content security policy. */
export function troublesOf(page) {
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => {
    // A line that is down is no fault of the page; the browser says it as an error all the same.
    if (message.type() === "error" && !/WebSocket connection|net::ERR|Failed to load resource/.test(message.text())) {
      troubles.push(message.text());
    }
  });
  return troubles;
}

/** A window of somebody called `name`, a browser profile of its own, on `url`. */
export async function windowOf(browser, url, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1_000, height: 700 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript((stored) => { localStorage.setItem("artnest-name", stored); }, name);
  const page = await context.newPage();
  page.troubles = troublesOf(page);
  await page.goto(url);
  return page;
}

/** The same, once the room is live. */
export async function visit(browser, url, name, options) {
  const page = await windowOf(browser, url, name, options);
  await becomes(page, "live");
  return page;
}

export const becomes = (page, status) =>
  page.waitForFunction((wanted) => window.artnest?.session.status.name === wanted, status);

/** Draws a line through points of the window with the mouse. */
export async function draw(page, ...points) {
  const [[x, y], ...rest] = points;
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (const [nextX, nextY] of rest) await page.mouse.move(nextX, nextY, { steps: 8 });
  await page.mouse.up();
}

/** Waits until everything this window has drawn is decided, and everything it knows is painted. */
export const settled = (page) => page.waitForFunction(() => {
  const { session, renderer } = window.artnest;
  return session.status.name === "live" && session.outbox.items.length === 0 && renderer.isComplete;
});

/** Waits until all windows show as many strokes as `count`, painted. */
export async function showing(count, ...pages) {
  for (const page of pages) {
    await page.waitForFunction((wanted) => {
      const strokes = [...window.artnest.session.drawing.strokes()].filter((stroke) => stroke.isVisible && !stroke.isWaiting);
      return strokes.length === wanted && window.artnest.renderer.isComplete;
    }, count);
  }
}

/** Has a window paint everything once more, by looking closer and back. */
export async function repainted(page) {
  await page.evaluate(() => {
    const { renderer } = window.artnest;
    const { view } = renderer;
    renderer.view = { ...view, scale: view.scale * 1.01 };
    renderer.view = view;
  });
  await page.waitForFunction(() => window.artnest.renderer.isComplete);
}

/** The pixels of what a window shows of the drawing, as bytes. */
export async function pixels(page) {
  const encoded = await page.evaluate(async () => {
    const blob = await new Promise((done) => { window.artnest.renderer.flatten().toBlob(done); });
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    const bytes = canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height).data;
    let text = "";
    for (let i = 0; i < bytes.length; i += 8_192) text += String.fromCharCode(...bytes.subarray(i, i + 8_192));
    return btoa(text);
  });
  return Buffer.from(encoded, "base64");
}

/** How many bytes of two pictures differ, and by how much at most. */
export function difference(one, other) {
  if (one.length !== other.length) return { count: Infinity, most: 255 };
  let [count, most] = [0, 0];
  for (let i = 0; i < one.length; i++) {
    const by = Math.abs(one[i] - other[i]);
    if (by > 0) count++;
    if (by > most) most = by;
  }
  return { count, most };
}

/** How many pixels are inked. */
export function ink(bytes) {
  let count = 0;
  for (let i = 0; i < bytes.length; i += 4) if (bytes[i] + bytes[i + 1] + bytes[i + 2] < 750) count++;
  return count;
}

/** Draws `count` random points beside the sheet, where they take up room and no time to paint. */
export async function scribbleAside(page, count) {
  await page.evaluate((points) => {
    const { pencil } = window.artnest.session;
    const brush = { layer: 0, eraser: false, rgba: [0, 0, 0, 255], size: 1 };
    for (let i = 0; i < points; i++) {
      const [x, y, pressure] = [6_000 + 900 * Math.random(), 6_000 + 900 * Math.random(), 255 * Math.random()];
      if (i % 9_000 === 0) pencil.start(brush, x, y, pressure);
      else pencil.move(x, y, pressure);
    }
    pencil.end();
  }, count);
}
