// The page: reads the address, shows what it names, and keeps it true by the events.
// `ledger` is the list, `detail` the open item, `compose` the form, `api` the way to the server.

import { canBeKey, follow, forgetKey, get, hasKey, Problem, setKey, takeKeyFromFragment } from "./api.js";
import { prepareCompose } from "./compose.js";
import * as detail from "./detail.js";
import { byId, grouped, h } from "./dom.js";
import * as ledger from "./ledger.js";
import { STATES, TERMS } from "./states.js";

/** Events that come in a burst are answered with one reading. */
const REFRESH_MS = 250;

let view = "in";
let refreshTimer = null;
let dirty = false;

takeKeyFromFragment();
addEventListener("hashchange", () => { if (takeKeyFromFragment()) location.reload(); });
prepareKeyForm();
prepareCompose((id) => { location.hash = `#/n/${id}`; });
byId("more").addEventListener("click", async ({ currentTarget: button }) => {
  button.disabled = true;
  await guarded(ledger.readOlder);
  button.disabled = false;
});
if (!hasKey()) askForKey("");
else if (canBeKey()) start();
else askForKey("That is no API key: a key has visible ASCII characters only.");

async function start() {
  byId("key-form").hidden = true;
  byId("compose-open").hidden = false;
  byId("desk").hidden = false;
  addEventListener("hashchange", () => guarded(route));
  await guarded(async () => {
    await Promise.all([drawBalance(), ledger.show(view)]);
    await route();
  });
  if (hasKey()) follow(soon, showLink);
}

/** Shows what the address names: `#/`, `#/out`, `#/state/dead` or `#/n/ID`. */
async function route() {
  const [, word, name] = location.hash.split("/");
  const id = word === "n" ? name : null;
  const wanted = word === "out" ? "out" : word === "state" && Object.hasOwn(STATES, name ?? "") ? name : "in";
  document.body.dataset.open = String(id !== null);
  ledger.mark(id);
  if (id === null && wanted !== view) {
    view = wanted;
    await Promise.all([ledger.show(view), drawBalance()]);
  }
  await detail.show(id, backLink());
}

const backLink = () => (view === "in" ? "#/" : view === "out" ? "#/out" : `#/state/${view}`);

/** Something happened: read again, at most once in a while, and not at all while nobody looks. */
function soon() {
  dirty = true;
  if (refreshTimer !== null || document.hidden) return;
  refreshTimer = setTimeout(async () => {
    dirty = false;
    await guarded(() => Promise.all([drawBalance(), ledger.refresh(), detail.refresh()]));
    refreshTimer = null;
    if (dirty) soon();
  }, REFRESH_MS);
}
document.addEventListener("visibilitychange", () => { if (dirty) soon(); });

async function drawBalance() {
  const { accepted_total: total, by_state: byState, balances, version } = await get("/v1/counts");
  const of = (states) => states.reduce((sum, state) => sum + (byState[state] ?? 0), 0);
  // The quiet terms show up when they have something to say.
  const terms = TERMS.filter(({ tone, states }) => tone !== "quiet" || of(states) > 0)
    .map(({ label, tone, states }) => term(of(states), label, tone, states));
  byId("balance").replaceChildren(h("li", {}, term(total, "came in", null, [])), ...terms.map((node) => h("li", {}, node)));
  byId("verdict").dataset.holds = String(balances);
  byId("verdict").replaceChildren(...verdict(balances, byState));
  byId("build").textContent = `Herald ${version}`;
}

function term(number, label, tone, states) {
  const content = [h("b", {}, grouped(number)), h("span", {}, label)];
  const attributes = { class: "term", "data-tone": tone, "data-zero": String(number === 0) };
  if (states.length !== 1) return h("span", attributes, ...content);
  const [state] = states;
  const current = state === view || (state === "accepted" && view === "out");
  const href = state === "accepted" ? "#/out" : `#/state/${state}`;
  return h("a", { ...attributes, href, title: STATES[state].says, "aria-current": String(current) }, ...content);
}

function verdict(balances, byState) {
  if (!balances) return ["The books do not balance. Please report this with a copy of the data directory."];
  const waiting = TERMS.find(({ key }) => key === "pending").states.filter((state) => byState[state] > 0);
  const links = waiting.map((state, position) => [
    position === 0 ? " Waiting: " : ", ",
    h("a", { href: `#/state/${state}`, title: STATES[state].says }, `${grouped(byState[state])} ${STATES[state].word}`),
  ]);
  return ["The books balance: everything that came in is accounted for.", ...links.flat(), links.length > 0 ? "." : ""];
}

function showLink(state) {
  if (state === "refused") return askForKey("The key is not known to this server.");
  byId("link").dataset.link = state;
  byId("link").textContent = state === "live" ? "live" : "reconnecting";
  // What happened while the line was down is read at once.
  if (state === "live") soon();
}

/** Runs a reading; a refused key leads back to the question for it, anything else shows as a lost line. */
async function guarded(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) askForKey("The key is not known to this server.");
    else console.error(error);
    return false;
  }
}

function askForKey(reason) {
  forgetKey();
  byId("desk").hidden = true;
  byId("compose-open").hidden = true;
  byId("key-form").hidden = false;
  byId("key-error").textContent = reason;
  byId("link").textContent = "locked";
  byId("key").focus();
}

function prepareKeyForm() {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(byId("key").value.trim());
    location.reload();
  });
}
