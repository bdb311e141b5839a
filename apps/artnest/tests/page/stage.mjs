// What the files of browser tests share: a browser, a server, a room, and what it means that two windows show the same.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";

import { difference, launch, pixels, repainted } from "./browser.mjs";
import { createRoom, Server } from "./server.mjs";

/** A browser and a server for a file of tests, and a public room for each test. */
export function stage() {
  const stage = {
    link: (role, url = stage.server.url) => `${url}${stage.room.links[role].path}`,
  };
  before(async () => {
    stage.browser = await launch();
    stage.server = await Server.start();
  });
  after(async () => {
    await stage.browser?.close();
    await stage.server?.stop();
  });
  beforeEach(async () => { stage.room = await createRoom(stage.server.url, { name: "Harbour", visibility: "public" }); });
  afterEach(async () => { for (const context of stage.browser.contexts()) await context.close(); });
  return stage;
}

/**
 * Two windows show the same: as they came to it, but for the smoothing of edges that were painted in parts, of which a
 * browser makes a little less or more; and exactly, once both have painted it anew.
 */
export async function assertEqual(one, other, what) {
  const grown = difference(await pixels(one), await pixels(other));
  assert.ok(grown.count < 1_000 && grown.most < 64, `${what}: ${grown.count} bytes differ, by up to ${grown.most}`);
  await Promise.all([repainted(one), repainted(other)]);
  const { count, most } = difference(await pixels(one), await pixels(other));
  assert.equal(count, 0, `${what}, painted anew: ${count} bytes differ, by up to ${most}`);
}

/** A button of the dock. */
export const toolbar = (page, name) => page.getByRole("toolbar", { name: "Tools" }).getByRole("button", { name });
