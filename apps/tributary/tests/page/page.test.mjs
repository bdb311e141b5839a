// The status page in a real browser, against the daemon that TRIBUTARY_URL names.
// `tests/page.rs` starts that daemon, with sources in every state, and runs this file with `node --test`.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { launch } from "./browser.mjs";

const url = process.env.TRIBUTARY_URL;
const SCHEMES = ["light", "dark"];
/** The contrast that WCAG 2 asks of text, level AA. */
const CONTRAST_MIN = 4.5;

let browser;
let page;
let troubles;

before(async () => { browser = await launch(); });
after(() => browser?.close());

beforeEach(async () => {
  page = await browser.newPage();
  troubles = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) troubles.push(message.text()); });
});
afterEach(async () => {
  await page.close();
  assert.deepEqual(troubles, []);
});

async function open() {
  await page.goto(url);
  await row("calm").waitFor();
}

const row = (name) => page.locator("#sources tr").filter({ has: page.locator(".name", { hasText: new RegExp(`^${name}$`) }) });
const items = async (name) => Number(await row(name).locator(".items").textContent());

/** Asks until it holds. */
async function until(what, holds) {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await page.waitForTimeout(50);
  }
}

test("each source says in what state it is, and why it waits", async () => {
  await open();
  for (const [name, state, why] of [
    ["calm", /^waiting$/, /^in \d+ min: it is visited about every 5m; the last visit brought something new$/],
    ["busy", /^waits: server$/, /^in 2 h: .*429/],
    // It is tried again while this runs, and may have failed too often for its host by then.
    ["dead", /^waits: (backoff|breaker)$|^visiting$/, /the last visit.* failed: .*cannot be reached|does not answer|asks |sets out/],
    ["gone", /^disabled$/, /410/],
    ["panics", /^parked$/, /^in \d+ (s|min): it panicked too often; it is tried once when it has rested$/],
  ]) {
    assert.match(await row(name).locator(".state").textContent(), state);
    assert.match(await row(name).locator(".why").textContent(), why);
  }
  assert.match(await row("panics").locator(".error").textContent(), /an entry that nobody can parse/);
  // Those that want attention stand first.
  const names = await page.locator("#sources .name").allTextContents();
  assert.deepEqual(names.slice(0, 3), ["dead", "gone", "panics"]);
  assert.equal(await page.title(), "Tributary (3)");
});

test("the page follows by itself", async () => {
  await open();
  await page.evaluate(() => { window.sinceOpened = true; });
  const first = await items("lively");
  await until("another item of `lively`", async () => (await items("lively")) > first);
  assert.equal(await page.evaluate(() => window.sinceOpened), true, "the page was reloaded");
  await page.locator("#latest li", { hasText: "lively" }).first().waitFor();
});

test("a click visits at once what waits, and nothing that its server sent away", async () => {
  await open();
  const first = await items("calm");
  await row("calm").getByRole("button", { name: "Visit" }).click();
  await until("the item that the visit brought", async () => (await items("calm")) === first + 1);
  for (const name of ["busy", "gone"]) {
    const button = row(name).getByRole("button");
    assert.ok(await button.isDisabled(), name);
    assert.match(await button.getAttribute("title"), /server|settings/);
  }
});

test("the keyboard stays where it is while the page follows", async () => {
  await open();
  const button = row("dead").getByRole("button");
  await button.focus();
  await page.keyboard.press("Enter");
  const first = await items("lively");
  await until("an update", async () => (await items("lively")) > first);
  const focused = await page.evaluate(() => document.activeElement?.dataset.source);
  assert.equal(focused, "dead");
});

test("sources are found by words and by state", async () => {
  await open();
  await page.getByLabel("Find a source").fill("entry panick");
  await row("panics").waitFor();
  assert.equal(await page.locator("#sources tr").count(), 1);
  await page.getByLabel("Find a source").fill("");
  await page.getByRole("button", { name: /^disabled 1$/ }).click();
  assert.deepEqual(await page.locator("#sources .name").allTextContents(), ["gone"]);
});

test("a page without sources says how to begin", async () => {
  await page.route("**/api/status", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), sources: [], latest: [] } });
  });
  await page.goto(url);
  await page.getByText("There is no source yet.").waitFor();
  const file = await page.evaluate(async () => (await (await fetch("api/status")).json()).settings.file);
  assert.equal(await page.locator("#none code").textContent(), `tributary --config ${file} add https://blog.rust-lang.org/feed.xml`);
  await page.getByText("Nothing has come in yet.").waitFor();
  assert.equal(await page.getByRole("table").isVisible(), false);
});

test("when nobody answers, the page says from when it is, and follows again as soon as somebody does", async () => {
  await open();
  await page.route("**/api/status", (route) => route.abort());
  const lost = page.getByRole("alert");
  await lost.waitFor();
  assert.match(await lost.textContent(), /^Tributary does not answer\. What is shown here is from .*\d/);
  assert.equal(await page.title(), "Tributary (no answer)");
  const colour = await row("calm").locator(".state").evaluate((state) => getComputedStyle(state.closest("section")).filter);
  assert.equal(colour, "grayscale(1)", "no state looks as if it were so now");
  await page.unroute("**/api/status");
  await lost.waitFor({ state: "hidden" });
  assert.equal(await page.title(), "Tributary (3)");
  // The browser tells of the requests that nobody answered.
  troubles = troubles.filter((text) => !text.includes("Failed to load resource"));
});

test("when the answer hangs, the page says so before long, and asks only once meanwhile", async () => {
  await open();
  let asked = 0;
  await page.route("**/api/status", () => { asked += 1; });
  await page.getByRole("alert").waitFor({ timeout: 15_000 });
  assert.equal(asked, 1);
  await page.unroute("**/api/status");
  await page.getByRole("alert").waitFor({ state: "hidden" });
  // The browser tells of the requests that nobody answered.
  troubles = troubles.filter((text) => !text.includes("Failed to load resource"));
});

for (const colorScheme of SCHEMES) {
  test(`every text can be read in ${colorScheme} colours`, async () => {
    await page.emulateMedia({ colorScheme });
    await open();
    const texts = await page.evaluate(contrasts);
    assert.ok(texts.length > 10);
    for (const { text, contrast } of texts) assert.ok(contrast >= CONTRAST_MIN, `${text}: ${contrast.toFixed(2)}`);
  });
}

test("on a phone nothing is cut off", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open();
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
  for (const part of [".name", ".state", ".why", ".visit"]) {
    const box = await row("panics").locator(part).boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 390, `${part} ends at ${box.x + box.width} px`);
  }
});

/** In the page: the contrast of each text with the ground behind it. Colours are painted, since they may be of any notation. */
function contrasts() {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...paint.getImageData(0, 0, 1, 1).data].map((byte) => {
      const part = byte / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const ground = getComputedStyle(at).backgroundColor;
      if (ground !== "rgba(0, 0, 0, 0)") return ground;
    }
    return "Canvas";
  };
  const withText = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && !element.matches("[aria-disabled=true]") &&
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return withText.map((element) => {
    const [one, other] = [luminance(getComputedStyle(element).color), luminance(groundOf(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return { text: element.textContent.trim().slice(0, 40), contrast };
  });
}
