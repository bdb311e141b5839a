// The operator's page: what it shows of rooms, and what its orders do.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PHONE, visit, windowOf } from "./browser.mjs";
import { stage } from "./stage.mjs";

const on = stage();

/** The page; its next questions are answered by `answers`, and yes to all else. */
async function adminPage(options = {}) {
  const page = await windowOf(on.browser, `http://127.0.0.1:${on.server.admin}/`, "Operator", options);
  page.answers = [];
  page.on("dialog", (dialog) => dialog.accept(dialog.type() === "prompt" ? page.answers.shift() : undefined));
  await row(page).waitFor();
  return page;
}

const row = (page) => page.locator("#rooms tr", { hasText: on.room.room.id });
const quota = (page) => row(page).locator("td").nth(4);

test("a quota that is no number is refused with a word, and changes nothing", async () => {
  const page = await adminPage();
  const give = async (answer) => {
    page.answers.push(answer);
    await row(page).getByRole("button", { name: "Quota…" }).click();
  };
  await give("3");
  await quota(page).filter({ hasText: "3 MiB" }).waitFor();
  for (const wrong of ["abc", "1.5", "-1", "99999999999999"]) {
    const told = page.waitForEvent("dialog", (dialog) => dialog.type() === "alert");
    await give(wrong);
    assert.match((await told).message(), /whole number/, wrong);
  }
  await page.reload();
  await quota(page).filter({ hasText: "3 MiB" }).waitFor();
  await give(" ");
  await quota(page).filter({ hasText: "default" }).waitFor();
  assert.deepEqual(page.troubles, []);
});

test("links are shown whole, and lead into the room", async () => {
  const page = await adminPage();
  await row(page).getByRole("button", { name: "Links" }).click();
  const shown = page.getByRole("dialog").getByRole("definition");
  await shown.first().waitFor();
  const links = await shown.allTextContents();
  assert.deepEqual(links.toSorted(), ["owner", "artist", "viewer"].map((role) => on.link(role)).toSorted());
  await visit(on.browser, links[0], "Ada");
});

test("on a phone the page is no wider than the screen, and it asks for no picture that is not there", async () => {
  const page = await adminPage(PHONE);
  const missed = [];
  page.on("response", (response) => { if (response.status() === 404) missed.push(response.url()); });
  await page.reload();
  await row(page).getByRole("button", { name: "Delete" }).scrollIntoViewIfNeeded();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  assert.match(await page.locator("link[rel=icon]").getAttribute("href"), /^data:image\/svg/);
  assert.deepEqual([missed, page.troubles], [[], []]);
});
