// The left column: what came in, what went out, or the deliveries in one state; newest first, by pages.

import { get } from "./api.js";
import { byId, dayOf, h, timeOf } from "./dom.js";
import { STATES } from "./states.js";

const PAGE_SIZE = 50;
/** So many rows are kept true by the events; what is older is let go, and "Older" reads it again. */
const REFRESHED_MAX = 500;

/** What each view reads, and how one of its items becomes a row. */
function sourceOf(view) {
  if (view === "in") return { path: "/v1/notifications", row: rowOfNotification };
  if (view === "out") return { path: "/v1/deliveries?state=accepted", row: rowOfDelivery };
  return { path: `/v1/deliveries?state=${view}`, row: rowOfDelivery };
}

let view = "in";
let items = [];
let next = null;
let openId = null;
/** The reading under way. Each waits for the one before: side by side, their rows would double. */
let turn = Promise.resolve();
/** The ids that were drawn; `null` before the first drawing of a view, in which nothing counts as new. */
let seen = null;

/** Shows another view from its first page. */
export async function show(newView) {
  view = newView;
  items = [];
  next = null;
  seen = null;
  markView();
  await refresh();
}

/** Reads again all that is on show: new rows arrive on top, and states change in place, on every page. */
export const refresh = () => inTurn(async () => {
  const asked = view;
  const oldest = items.at(-1)?.id;
  const fresh = [];
  let cursor = null;
  do {
    const page = await read(cursor);
    if (asked !== view) return;
    fresh.push(...page.items);
    cursor = page.next;
  } while (cursor !== null && oldest !== undefined && fresh.at(-1).id > oldest && fresh.length < REFRESHED_MAX);
  items = fresh;
  next = cursor;
  draw();
});

export const readOlder = () => inTurn(async () => {
  if (next === null) return;
  const asked = view;
  const page = await read(next);
  if (asked !== view) return;
  next = page.next;
  items = [...items, ...page.items];
  draw();
});

function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => {});
  return done;
}

/** Marks the open item. */
export function mark(id) {
  openId = id;
  for (const link of byId("rows").querySelectorAll("a")) {
    link.setAttribute("aria-current", String(link.dataset.id === id));
  }
}

function read(cursor) {
  const { path } = sourceOf(view);
  const query = new URLSearchParams({ limit: PAGE_SIZE, ...(cursor && { cursor }) });
  return get(`${path}${path.includes("?") ? "&" : "?"}${query}`);
}

function draw() {
  const { row } = sourceOf(view);
  const rows = byId("rows");
  const focused = document.activeElement?.dataset?.id;
  let lastDay = null;
  rows.replaceChildren();
  for (const item of items) {
    const day = dayOf(item.created_at);
    if (day !== lastDay) rows.append(h("li", { class: "day" }, day));
    lastDay = day;
    rows.append(row(item, seen !== null && !seen.has(item.id)));
  }
  seen = new Set(items.map(({ id }) => id));
  if (focused) rows.querySelector(`a[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  byId("more").hidden = next === null;
  byId("empty").hidden = items.length > 0;
  if (items.length === 0) byId("empty").replaceChildren(...emptyText());
}

const rowOfNotification = (item, isNew) => line(item.id, item, isNew);
const rowOfDelivery = (item, isNew) => line(item.notification, item, isNew);

function line(notification, item, isNew) {
  const { word, tone } = STATES[item.state];
  return h("li", { class: isNew ? "row new" : "row" },
    h("a", { href: `#/n/${notification}`, "data-id": notification, "aria-current": String(notification === openId) },
      timeOf(item.created_at),
      h("span", { class: "what" }, item.subject),
      h("span", { class: "state", "data-tone": tone }, word),
      h("span", { class: "who" }, item.address)));
}

function markView() {
  for (const link of document.querySelectorAll(".views a[data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const filter = byId("filter");
  filter.hidden = view === "in" || view === "out";
  if (!filter.hidden) filter.replaceChildren(`Only: ${STATES[view].word}`, h("a", { href: "#/" }, "show all"));
}

function emptyText() {
  if (view !== "in") return [h("h2", {}, "None."), h("p", {}, view === "out" ? "Nothing has gone out yet." : STATES[view].says)];
  const example = `curl ${location.origin}/v1/notifications \\
  -H "Authorization: Bearer $HERALD_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"to": {"email": "ada@example.org"}, "subject": "Hello", "text": "Hello Ada."}'`;
  return [
    h("h2", {}, "Nothing has come in yet."),
    h("p", {}, "Send a test with the button above, or from a terminal. It appears here by itself."),
    h("pre", {}, example),
  ];
}
