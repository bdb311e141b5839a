// The gallery: making a room, finding it again, giving its links away.

import assert from "node:assert/strict";
import { test } from "node:test";

import { becomes, draw, PHONE, settled, troublesOf, visit, windowOf } from "./browser.mjs";
import { createRoom } from "./server.mjs";
import { stage } from "./stage.mjs";

const on = stage();

test("a room is made, drawn in, found again in the gallery with its picture, and shared", async () => {
  const ada = await windowOf(on.browser, on.server.url, "Ada");
  await ada.getByRole("button", { name: "New room" }).click();
  await ada.getByLabel("Name").fill("Nest <i>one</i>");
  await ada.getByText("Let anybody watch").click();
  await ada.getByRole("button", { name: "Create the room" }).click();
  await becomes(ada, "live");
  await draw(ada, [300, 200], [600, 400]);
  await settled(ada);
  await ada.getByRole("button", { name: "Share" }).click();
  const artist = await ada.getByRole("textbox", { name: "To draw" }).inputValue();
  assert.match(artist, /\/r\/[a-z2-7]{12}#[\w-]{22}$/);

  const grace = await visit(on.browser, artist, "Grace");
  assert.equal(await grace.evaluate(() => artnest.session.role), "artist");

  await ada.goto(on.server.url);
  const card = ada.locator("#yours .card", { hasText: "Nest <i>one</i>" });
  await card.locator("img").waitFor();
  const inked = await card.locator("img").evaluate(async (image) => {
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value < 128);
  });
  assert.ok(inked, "the thumbnail is blank");
  await ada.locator("#open .card", { hasText: "Nest <i>one</i>" }).waitFor();
  assert.deepEqual([...ada.troubles, ...grace.troubles], []);
});

test("a private room is nobody else's business, and can be taken off one's wall", async () => {
  const { room, links } = await createRoom(on.server.url, { name: "Secret", visibility: "private" });
  const ada = await visit(on.browser, `${on.server.url}${links.owner.path}`, "Ada");
  await ada.goto(on.server.url);
  await ada.locator("#yours .card", { hasText: "Secret" }).waitFor();
  assert.equal(await ada.locator("#open .card", { hasText: "Secret" }).count(), 0);
  await ada.getByRole("button", { name: "Forget Secret" }).click();
  await ada.reload();
  await ada.locator("#open").waitFor();
  assert.equal(await ada.locator("#yours .card", { hasText: "Secret" }).count(), 0);
  const eve = await windowOf(on.browser, `${on.server.url}/r/${room.id}`, "Eve");
  await eve.getByRole("heading", { name: "This door does not open" }).waitFor();
});

test("whoever comes first is asked for a name, and may keep it to themselves", async () => {
  const { links } = await createRoom(on.server.url, { name: "Names", visibility: "private" });
  const page = await on.browser.newPage();
  page.troubles = troublesOf(page);
  await page.goto(`${on.server.url}${links.artist.path}`);
  await page.getByRole("button", { name: "Come in" }).click();
  await becomes(page, "live");
  const guest = await page.evaluate(() => artnest.session.name);
  assert.match(guest, /^Guest \d+$/);
  await page.reload();
  await becomes(page, "live");
  assert.equal(await page.getByRole("button", { name: "Come in" }).count(), 0, "who has answered is not asked again");
  assert.equal(await page.evaluate(() => artnest.session.name), guest);
  assert.deepEqual(page.troubles, []);
});

test("an owner renames and deletes a room; who is in it is told", async () => {
  const { links } = await createRoom(on.server.url, { name: "Old name", visibility: "private" });
  const ada = await visit(on.browser, `${on.server.url}${links.owner.path}`, "Ada");
  const grace = await visit(on.browser, `${on.server.url}${links.artist.path}`, "Grace");
  const open = async () => {
    await ada.getByRole("button", { name: "More" }).click();
    await ada.getByRole("menuitem", { name: "Room…" }).click();
  };
  await open();
  await ada.getByLabel("Name", { exact: true }).fill("New name");
  await ada.getByRole("button", { name: "Save", exact: true }).click();
  await ada.getByRole("heading", { name: "New name" }).waitFor();
  await open();
  await ada.getByRole("button", { name: "Delete the room…" }).click();
  await ada.getByRole("button", { name: "Delete", exact: true }).click();
  await grace.getByRole("heading", { name: "The room is gone" }).waitFor();
  await ada.getByRole("heading", { name: "Draw together" }).waitFor();
});

test("unknown pages and the about page say what they are", async () => {
  const page = await windowOf(on.browser, `${on.server.url}/nowhere/at/all`, "Ada");
  await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  await page.goto(`${on.server.url}/about`);
  await page.getByRole("heading", { name: "Nothing is lost" }).waitFor();
  assert.deepEqual(page.troubles, []);
});

test("on a phone the gallery is not wider than the screen", async () => {
  await createRoom(on.server.url, { name: "A room with quite a long name, longer than its card", visibility: "public" });
  const page = await windowOf(on.browser, on.server.url, "Ada", PHONE);
  await page.locator("#open .card").first().waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.getByRole("button", { name: "New room" }).tap();
  await page.getByLabel("Name").waitFor();
  assert.ok(await page.evaluate(() => document.querySelector("dialog[open]").getBoundingClientRect().right <= innerWidth));
});
