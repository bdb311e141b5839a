// The right column: one notification, the mail that went into the outbox, and each delivery's timeline.

import { get, Problem } from "./api.js";
import { byId, fullTime, h, preciseTimeOf } from "./dom.js";
import { STATES } from "./states.js";

/** The mail's own policy, on top of the page's: nothing in it may reach the network or run. */
const MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

const PICTURE_FROM_ELSEWHERE = /<img\b[^>]*\bsrc\s*=\s*["']?\s*(https?:)?\/\//i;

let openId = null;
let drawn = null;
let tab = null;

/** Shows a notification, or nothing. */
export async function show(id, backHref) {
  openId = id;
  drawn = null;
  tab = null;
  const article = byId("detail");
  if (id === null) return article.replaceChildren(h("p", { class: "none" }, "Open an entry to read what became of it."));
  article.dataset.back = backHref;
  await refresh();
  if (matchMedia("(max-width: 900px)").matches) scrollTo(0, 0);
}

/** Reads the open notification again, and draws it where something changed. */
export async function refresh() {
  if (openId === null) return;
  const asked = openId;
  const notification = await orNull(get(`/v1/notifications/${encodeURIComponent(asked)}`));
  const mails = notification === null ? [] : await mailsOf(notification);
  const picture = JSON.stringify([notification, mails.length]);
  if (asked !== openId || picture === drawn) return;
  drawn = picture;
  byId("detail").replaceChildren(
    h("a", { class: "back", href: byId("detail").dataset.back }, "\u2190 Back to the ledger"),
    ...(notification === null ? [h("p", { class: "missing" }, "There is no such notification.")] : parts(notification, mails)));
}

/** The outbox keeps its newest mails only, and an SMTP relay leaves none. */
async function mailsOf(notification) {
  const outbox = notification.deliveries.filter(({ provider, state }) => provider === "outbox" && state === "accepted");
  const mails = await Promise.all(outbox.map(({ id }) => orNull(get(`/v1/outbox/${id}`))));
  return mails.filter((mail) => mail !== null);
}

async function orNull(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

function parts(notification, mails) {
  return [
    letter(notification, mails[0] ?? null),
    ...notification.deliveries.map((delivery) => deliveryPart(delivery, notification)),
    h("p", { class: "identity" }, notification.id),
  ];
}

function letter(notification, mail) {
  const facts = [
    ["To", notification.deliveries.map(({ address }) => address).join(", ")],
    mail && ["From", mail.from],
    ["Came in", fullTime(notification.created_at)],
    notification.send_at && ["Not before", fullTime(notification.send_at)],
    notification.expires_at && ["Not after", fullTime(notification.expires_at)],
    notification.category && ["Category", notification.category],
  ].filter(Boolean);
  return h("section", { class: "letter", "aria-label": "The message" },
    h("header", {},
      h("h2", {}, notification.subject),
      h("dl", {}, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]))),
    ...(mail === null ? [] : body(mail)));
}

/** The rendered mail: as HTML, as text, and as the bytes that a relay would have got. */
function body(mail) {
  const views = [
    mail.html && ["HTML", () => frame(mail.html)],
    mail.text && ["Text", () => h("div", { class: "text" }, mail.text)],
    ["Source", () => h("pre", { tabindex: "0" }, mail.raw)],
  ].filter(Boolean);
  const panel = h("div", { role: "tabpanel", id: "mail-panel" });
  const buttons = views.map(([name, make]) =>
    h("button", { type: "button", role: "tab", "aria-controls": "mail-panel", onclick: () => select(name, make) }, name));
  const select = (name, make) => {
    tab = name;
    for (const button of buttons) button.setAttribute("aria-selected", String(button.textContent === name));
    panel.replaceChildren(make());
  };
  select(...(views.find(([name]) => name === tab) ?? views[0]));
  return [h("div", { class: "tabs", role: "tablist", "aria-label": "Forms of the mail" }, ...buttons), panel];
}

function frame(html) {
  const policy = `<meta http-equiv="Content-Security-Policy" content="${MAIL_POLICY}">`;
  return h("div", {},
    h("iframe", { sandbox: "", title: "The mail as its recipient sees it", srcdoc: policy + html }),
    PICTURE_FROM_ELSEWHERE.test(html) ? h("p", { class: "withheld" }, "Pictures from elsewhere are not loaded here.") : null);
}

function deliveryPart(delivery, notification) {
  const { word, tone, says } = STATES[delivery.state];
  const entries = [
    { at: notification.created_at, what: "Came in", note: `Planned for ${delivery.address} by ${delivery.channel}, through ${delivery.provider}.` },
    ...delivery.timeline,
  ];
  return h("section", { class: "delivery" },
    h("h3", {}, "What became of it", h("span", { class: "state", "data-tone": tone, title: says }, word)),
    goesOn(delivery, notification),
    h("ol", { class: "timeline" }, ...entries.map(entry)));
}

/** When it is taken up again: nothing where that is now, or would be after its deadline. */
function goesOn({ due_at: dueAt }, { expires_at: expiresAt }) {
  const isAhead = dueAt && Date.parse(dueAt) > Date.now() && !(Date.parse(expiresAt) <= Date.parse(dueAt));
  return isAhead ? h("p", { class: "goes-on" }, `Goes on at ${fullTime(dueAt)}.`) : null;
}

function entry({ at, what, state, note }) {
  const known = STATES[state];
  return h("li", { "data-tone": known?.tone ?? "quiet" },
    preciseTimeOf(at),
    h("p", {}, h("b", {}, what ?? known.word), note ? h("span", { class: "note" }, note) : null));
}
