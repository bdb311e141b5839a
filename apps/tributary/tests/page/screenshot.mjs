// Takes a picture of the page: node screenshot.mjs URL FILE [light|dark] [WIDTH]

import { launch } from "./browser.mjs";

const [url, file, colorScheme = "light", width = "1280"] = process.argv.slice(2);
const browser = await launch();
const page = await browser.newPage({ colorScheme, viewport: { width: Number(width), height: 900 } });
await page.goto(url);
await page.locator("#sources tr").first().waitFor();
await page.screenshot({ path: file, fullPage: true });
await browser.close();
