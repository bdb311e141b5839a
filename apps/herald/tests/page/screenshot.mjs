// Takes the picture in the README from a fresh server: node screenshot.mjs URL KEY FILE [light|dark] [WIDTH]

import { launch } from "./browser.mjs";

const [url, key, file, colorScheme = "light", width = "1280"] = process.argv.slice(2);

const INVOICE = `<div style="font: 16px/1.5 Georgia, serif; max-width: 34rem; margin: 0 auto; padding: 28px; color: #222">
  <p style="letter-spacing: .18em; text-transform: uppercase; font-size: 11px; color: #5c7a3f">The Studio</p>
  <h1 style="font-weight: 400; font-size: 28px; margin: .2em 0">Your invoice 2031</h1>
  <p>Dear Ada,</p><p>thank you for your order. The total of <b>£ 42.00</b> is due on the first of December.</p>
  <table style="width: 100%; border-collapse: collapse; font-size: 15px">
    <tr><td style="padding: 8px 0; border-top: 1px solid #ddd">Four tickets, stalls</td><td align="right" style="border-top: 1px solid #ddd">£ 38.00</td></tr>
    <tr><td style="padding: 8px 0; border-top: 1px solid #ddd">Booking</td><td align="right" style="border-top: 1px solid #ddd">£ 4.00</td></tr>
  </table></div>`;

const NOTIFICATIONS = [
  ["jean@example.org", "Your invoice 2030 is ready", {}],
  ["ops@example.org", "Certificate renewed", {}],
  ["frances@example.org", "Tickets for Saturday", {}],
  ["radia@example.org", "Monthly report", { send_at: "2100-01-04T08:00:00Z" }],
  ["barbara@example.org", "Your parcel is on its way", {}],
  ["katherine@example.org", "Password changed", {}],
  ["margaret@example.org", "Rehearsal moved to Thursday", { send_at: "2100-01-01T08:00:00Z" }],
  ["grace@example.org", "Your one-time code", {}],
  ["ada@example.org", "Your invoice 2031 is ready", { html: INVOICE }],
];

for (const [email, subject, more] of NOTIFICATIONS) {
  const response = await fetch(`${url}/v1/notifications`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", "Idempotency-Key": subject },
    body: JSON.stringify({ to: { email }, subject, text: "Hello.", ...more }),
  });
  if (response.status !== 202) throw new Error(await response.text());
}

const browser = await launch();
const page = await browser.newPage({ colorScheme, viewport: { width: Number(width), height: 1000 } });
await page.goto(`${url}/#key=${key}`);
await page.locator(".row", { hasText: "invoice 2031" }).filter({ hasText: "went out" }).getByRole("link").click();
await page.frameLocator("iframe").getByText("Dear Ada").waitFor();
await page.evaluate(() => document.fonts.ready);
await page.screenshot({ path: file });
await browser.close();
