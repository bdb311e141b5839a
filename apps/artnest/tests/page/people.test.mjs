// Who is in a room and what they may do.

import assert from "node:assert/strict";
import { test } from "node:test";

import { becomes, draw, ink, pixels, showing, visit } from "./browser.mjs";
import { createRoom } from "./server.mjs";
import { stage } from "./stage.mjs";

const on = stage();

test("a viewer sees and cannot draw, until an owner lets them", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const guest = await visit(on.browser, on.link("viewer"), "Guest");
  await guest.getByText("You are watching.").waitFor();
  const before = await guest.evaluate(() => artnest.renderer.view.x);
  await draw(guest, [300, 300], [350, 300]);
  assert.equal(await guest.evaluate(() => artnest.renderer.view.x), before + 50, "a drag moves the sheet");
  await guest.keyboard.press("b");
  await draw(guest, [300, 300], [500, 300]);
  await guest.locator(".toast", { hasText: "To draw, ask an owner" }).waitFor();
  await draw(ada, [300, 200], [500, 200]);
  await showing(1, ada, guest);
  await ada.getByRole("button", { name: "2 here" }).click();
  await ada.getByLabel("Role of Guest").selectOption("artist");
  await guest.getByText("You may draw now.").waitFor();
  await draw(guest, [300, 320], [500, 320]);
  await showing(2, ada, guest);
});

test("whoever is made an owner can do what owners do, and is none any more when that is taken back", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.getByRole("button", { name: "2 here" }).click();
  await ada.getByLabel("Role of Grace").selectOption("owner");
  await grace.getByText("You own this room now.").waitFor();
  await grace.getByRole("button", { name: "Share" }).click();
  assert.equal(await grace.getByLabel("To own", { exact: true }).inputValue(), on.link("owner"));
  await grace.keyboard.press("Escape");
  await grace.getByRole("button", { name: "More" }).click();
  await grace.getByRole("menuitem", { name: "Room…" }).click();
  await grace.getByLabel("Name", { exact: true }).fill("Grace’s harbour");
  await grace.getByRole("button", { name: "Save", exact: true }).click();
  await ada.reload();
  await ada.getByRole("heading", { name: "Grace’s harbour" }).waitFor();
  await becomes(ada, "live");
  // Ada came by the owners' link, and is a viewer all the same.
  await grace.getByRole("button", { name: "2 here" }).click();
  await grace.getByLabel("Role of Ada").selectOption("viewer");
  await grace.getByText("renew it under Share").waitFor();
  await ada.getByText("You are watching now.").waitFor();
  const refused = await ada.evaluate(async () => {
    const api = await import("/assets/api.js");
    return api.links(location.pathname.split("/").at(-1)).catch(({ status }) => status);
  });
  assert.equal(refused, 403);
});

test("a member comes back to a private room whose link was renewed", async () => {
  on.room = await createRoom(on.server.url, { name: "Cove" });
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  const renewed = await fetch(`${on.server.url}/api/rooms/${on.room.room.id}/links/artist`, {
    method: "POST", headers: { Authorization: `Bearer ${on.room.links.owner.token}` },
  });
  assert.equal(renewed.status, 200);
  await grace.reload();
  await becomes(grace, "live");
});

test("a locked layer is closed to artists and open to owners", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.getByRole("button", { name: "Lock Middle" }).click();
  await grace.locator('.layer[data-locked="true"]').waitFor();
  await draw(grace, [300, 300], [500, 300]);
  await grace.getByText("This layer is locked.").waitFor();
  await draw(ada, [300, 200], [500, 200]);
  await grace.keyboard.press("Alt+Digit3");
  await draw(grace, [300, 260], [500, 260]);
  await showing(2, ada, grace);
});

test("clearing is for owners, and is for everybody", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await draw(grace, [300, 260], [500, 260]);
  await showing(1, ada, grace);
  await ada.getByRole("button", { name: "More" }).click();
  await ada.getByRole("menuitem", { name: "Clear…" }).click();
  await ada.getByRole("button", { name: "Everything" }).click();
  await showing(0, ada, grace);
  assert.equal(ink(await pixels(grace)), 0);
  await grace.getByRole("button", { name: "More" }).click();
  assert.equal(await grace.getByRole("menuitem", { name: "Clear…" }).count(), 0);
});

test("others' pointers and names are seen, and go when they go", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace Hopper");
  await grace.mouse.move(400, 300);
  await grace.mouse.move(450, 320, { steps: 4 });
  const pointer = ada.locator(".pointer", { hasText: "Grace Hopper" });
  await pointer.waitFor();
  await ada.waitForFunction(() => {
    const { left, top } = document.querySelector(".pointer").getBoundingClientRect();
    return Math.abs(left - 450) < 4 && Math.abs(top - 320) < 4;
  });
  await grace.close();
  await pointer.waitFor({ state: "detached" });
  await ada.getByRole("button", { name: "1 here" }).waitFor();
});

test("people talk, and who comes later reads it", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.getByRole("button", { name: "Chat" }).click();
  await ada.getByLabel("Say something").fill("Shall we <b>begin</b>?");
  await ada.keyboard.press("Enter");
  await grace.locator("#chat-open.has-news").click();
  await grace.locator(".sayings", { hasText: "Shall we <b>begin</b>?" }).waitFor();
  const late = await visit(on.browser, on.link("viewer"), "Late");
  await late.getByRole("button", { name: "Chat" }).click();
  await late.locator(".sayings li", { hasText: "Ada" }).filter({ hasText: "begin" }).waitFor();
});

test("Escape closes the panel at the side, wherever the focus is, and a dialog before it", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const panel = ada.getByRole("complementary", { name: "People" });
  await ada.getByRole("button", { name: "1 here" }).click();
  await panel.waitFor();
  await ada.getByRole("button", { name: "Rename" }).click();
  const dialog = ada.getByRole("dialog").filter({ hasText: "What are you called?" });
  await dialog.waitFor();
  await ada.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.ok(await panel.isVisible());
  await ada.getByRole("button", { name: "1 here" }).focus();
  await ada.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  assert.equal(await ada.locator("#people-open").getAttribute("aria-expanded"), "false");
  assert.deepEqual(ada.troubles, []);
});

test("who is sent out is told so, and may come back", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.getByRole("button", { name: "2 here" }).click();
  await ada.getByRole("button", { name: "Send Grace out" }).click();
  await ada.getByRole("button", { name: "Send out", exact: true }).click();
  await grace.getByRole("heading", { name: "You were sent out" }).waitFor();
  await grace.getByRole("button", { name: "Try again" }).click();
  await becomes(grace, "live");
});

test("who is banned stays out, until an owner lets them back in", async () => {
  const ada = await visit(on.browser, on.link("owner"), "Ada");
  const grace = await visit(on.browser, on.link("artist"), "Grace");
  await ada.getByRole("button", { name: "2 here" }).click();
  await ada.getByRole("button", { name: "Send Grace out" }).click();
  await ada.getByRole("button", { name: "Send out and ban" }).click();
  await grace.getByRole("heading", { name: /sent out|cannot come in/ }).waitFor();
  await grace.reload();
  await grace.getByRole("heading", { name: "You cannot come in" }).waitFor();
  await grace.getByRole("link", { name: "To the gallery" }).click();
  await grace.getByText("you were banned from it").waitFor();
  await grace.getByRole("button", { name: /^Forget/ }).waitFor();
  await grace.goto(on.link("artist"));
  await ada.getByRole("button", { name: "More" }).click();
  await ada.getByRole("menuitem", { name: "Room…" }).click();
  await ada.getByRole("button", { name: "Let back in" }).click();
  await grace.reload();
  await becomes(grace, "live");
});
