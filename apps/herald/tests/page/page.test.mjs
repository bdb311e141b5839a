// The page in a real browser, against the server that HERALD_URL and HERALD_KEY name.
// `tests/page.rs` starts that server and runs this file with `node --test`.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { launch } from "./browser.mjs";

const url = process.env.HERALD_URL;
const key = process.env.HERALD_KEY;

let browser;
let page;
let troubles;

before(async () => { browser = await launch(); });
after(() => browser?.close());

beforeEach(async () => {
  page = await browser.newPage();
  troubles = [];
  page.on("pageerror", (error) => troubles.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") troubles.push(message.text()); });
});
afterEach(async () => {
  await page.close();
});

async function open() {
  await page.goto(`${url}/#key=${key}`);
  await page.getByRole("status").filter({ hasText: "live" }).waitFor();
}

/** Sends as any client would, outside the browser. */
async function send(body) {
  const response = await fetch(`${url}/v1/notifications`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify({ to: { email: "ada@example.org" }, ...body }),
  });
  assert.equal(response.status, 202);
  return response.json();
}

const row = (subject) => page.locator(".row", { hasText: subject });

test("the key leaves the address bar and survives a reload", async () => {
  await open();
  assert.ok(!page.url().includes(key));
  await page.reload();
  await page.getByRole("status").filter({ hasText: "live" }).waitFor();
  assert.deepEqual(troubles, []);
});

test("a notification sent from outside appears without a reload and its mail renders", async () => {
  await open();
  await page.evaluate(() => { window.sinceOpened = true; });

  await send({ subject: "Your invoice 42", text: "Hello Ada.", html: "<h1 id=greeting style='color: teal'>Hello Ada</h1>" });
  await row("Your invoice 42").filter({ hasText: "went out" }).waitFor();
  assert.equal(await page.evaluate(() => window.sinceOpened), true, "the page was reloaded");

  await row("Your invoice 42").getByRole("link").click();
  const mail = page.frameLocator("iframe");
  assert.equal(await mail.locator("#greeting").textContent(), "Hello Ada");
  const colour = await mail.locator("#greeting").evaluate((heading) => getComputedStyle(heading).color);
  assert.equal(colour, "rgb(0, 128, 128)", "the mail's own styles apply");

  await page.getByRole("tab", { name: "Text" }).click();
  await page.locator(".letter .text", { hasText: "Hello Ada." }).waitFor();
  await page.getByRole("tab", { name: "Source" }).click();
  await page.locator(".letter pre", { hasText: "Subject: Your invoice 42" }).waitFor();
  await page.locator(".timeline li", { hasText: "went out" }).waitFor();
  assert.deepEqual(troubles, []);
});

test("nothing in a mail runs, and nothing in it reaches the network", async (context) => {
  const asked = [];
  const elsewhere = createServer((request, response) => { asked.push(request.url); response.end(); });
  await new Promise((listening) => elsewhere.listen(0, "127.0.0.1", listening));
  context.after(() => elsewhere.close());
  const beacon = `http://127.0.0.1:${elsewhere.address().port}`;
  await open();
  const { id } = await send({
    subject: "A hostile mail",
    html: `<p id=p>Hi</p><script>parent.document.title = "owned"</script>
      <img src="${beacon}/image" onerror="top.document.title = 'owned'"><link rel=stylesheet href="${beacon}/sheet">
      <style>p { background: url("${beacon}/background") }</style><iframe src="${beacon}/frame"></iframe>
      <meta http-equiv=refresh content="0; url=${beacon}/refresh"><a id=away href="${beacon}/link">away</a>`,
  });
  await row("A hostile mail").filter({ hasText: "went out" }).waitFor();
  await page.goto(`${url}/#/n/${id}`);
  const mail = page.frameLocator("iframe");
  await mail.locator("#p").waitFor();
  await page.getByText("Pictures from elsewhere are not loaded here.").waitFor();
  await mail.locator("#away").click();
  // The page itself may not ask elsewhere either. When the test's own question has arrived, theirs would have.
  await page.evaluate((address) => fetch(address, { mode: "no-cors" }).catch(() => {}), `${beacon}/by-the-page`);
  await fetch(`${beacon}/by-the-test`);

  assert.equal(await page.title(), "Herald");
  assert.deepEqual(asked, ["/by-the-test"]);
});

test("the form sends, and says what is wrong with an address", async () => {
  await open();
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByLabel("To", { exact: true }).fill("not an address");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.locator("#compose-error", { hasText: /^To: must be an e-mail address/ }).waitFor();

  await page.getByLabel("To", { exact: true }).fill("grace@example.org");
  await page.getByLabel("Subject").fill("From the form");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("heading", { name: "From the form" }).waitFor();
  await row("From the form").filter({ hasText: "went out" }).waitFor();
});

test("a wrong key is refused and asked for again", async () => {
  await page.goto(`${url}/#key=wrong`);
  await page.getByText("The key is not known to this server.").waitFor();
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByRole("status").filter({ hasText: "live" }).waitFor();
});

test("on a phone the ledger and the open item take turns, and nothing is cut off", async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open();
  await send({ subject: "Read on the way", text: "Short." });
  await row("Read on the way").filter({ hasText: "went out" }).waitFor();
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await overflow()) <= 0, "the ledger is wider than the screen");

  await row("Read on the way").getByRole("link").click();
  await page.getByRole("heading", { name: "Read on the way" }).waitFor();
  assert.ok(!(await page.locator("#rows").isVisible()));
  assert.ok((await overflow()) <= 0, "the item is wider than the screen");
  await page.getByRole("link", { name: "Back to the ledger" }).click();
  await page.locator("#rows").waitFor();
});

test("an unknown notification is said to be unknown, at every width", async () => {
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 844 });
    await open();
    await page.goto(`${url}/#/n/01890a5d-ac96-774b-bcce-b302099a8057`);
    await page.getByText("There is no such notification.").waitFor();
  }
});

test("what waits for its time says until when", async () => {
  await open();
  const { id } = await send({ subject: "In the new century", text: "Later.", send_at: "2101-01-31T12:00:00Z" });
  await page.goto(`${url}/#/n/${id}`);
  await page.locator(".letter dl", { hasText: /Not before31 January 2101/ }).waitFor();
  await page.locator(".delivery", { hasText: "Goes on at 31 January 2101" }).waitFor();
});

test("a double click on Older reads one page, and its rows stay true", async () => {
  const soon = new Date(Date.now() + 4_000).toISOString();
  const { id } = await send({ subject: "The first of many", text: "Hi.", send_at: soon });
  for (let number = 0; number < 120; number += 1) await send({ subject: `One of many ${number}`, text: "Hi." });
  await open();
  await page.getByRole("button", { name: "Older" }).dblclick();
  await page.waitForFunction(() => document.querySelectorAll(".row").length > 50);
  const ids = () => page.locator(".row a").evaluateAll((links) => links.map(({ dataset }) => dataset.id));
  const unique = async () => assert.equal(new Set(await ids()).size, (await ids()).length, "rows are doubled");
  await unique();
  while (!(await ids()).includes(id)) {
    const before = (await ids()).length;
    await page.getByRole("button", { name: "Older" }).click();
    await page.waitForFunction((rows) => document.querySelectorAll(".row").length > rows, before);
  }
  await unique();
  await row("The first of many").filter({ hasText: "went out" }).waitFor();
  await unique();
});

test("a double click on Send stores one notification, and so does a repeat after a lost answer", async () => {
  await open();
  const total = async () => (await (await fetch(`${url}/v1/counts`, { headers: { Authorization: `Bearer ${key}` } })).json()).accepted_total;
  const before = await total();
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByLabel("Subject").fill("Only once");
  await page.getByRole("button", { name: "Send", exact: true }).dblclick();
  await page.getByRole("heading", { name: "Only once" }).waitFor();
  assert.equal(await total(), before + 1);

  let answers = 0;
  await page.route("**/v1/notifications", async (route) => {
    if (route.request().method() !== "POST" || answers++ > 0) return route.continue();
    await route.fetch();
    await route.abort();
  });
  await page.getByRole("button", { name: "Send a test" }).click();
  await page.getByLabel("Subject").fill("Answer lost");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.locator("#compose-error", { hasText: "could not be reached" }).waitFor();
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await page.getByRole("heading", { name: "Answer lost" }).waitFor();
  assert.equal(await total(), before + 2);
});

test("an address that names no state shows everything", async () => {
  await open();
  await page.goto(`${url}/#/state/constructor`);
  await page.locator(".views a[data-view=in][aria-current=page]").waitFor();
  assert.ok(!(await page.locator("#filter").isVisible()));
  assert.deepEqual(troubles, []);
});

test("what can be no key is said to be none", async () => {
  await page.goto(`${url}/#key=${encodeURIComponent("ключ")}`);
  await page.getByText("That is no API key").waitFor();
  await page.getByLabel("API key").fill("naïve–key");
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByText("That is no API key").waitFor();
  assert.deepEqual(troubles, []);
});
