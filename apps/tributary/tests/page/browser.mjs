// Debian's Chromium, as the tests and the screenshots start it.

import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export async function launch() {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing; run \`cargo xtask setup\``);
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}
