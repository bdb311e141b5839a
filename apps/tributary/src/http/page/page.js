// The status page: asks for /api/status again and again while it is looked at, and shows it.
// What comes from feeds is only ever put in as text.

const EVERY_MS = 2000;
const ANSWER_MS_MAX = 5000;
const ROWS_MAX = 300;
const STATES = ["waiting", "visiting", "parked", "disabled"];

const $ = (id) => document.getElementById(id);
let status = null;
let onlyState = null;
let isAsking = false;
/** The rows that were made, by the names of their sources. */
const rows = new Map();

for (const state of STATES) {
  const button = element("button", { type: "button", textContent: state });
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    onlyState = onlyState === state ? null : state;
    for (const other of $("states").children) {
      other.setAttribute("aria-pressed", String(other.textContent.split(" ")[0] === onlyState));
    }
    showSources();
  });
  $("states").append(button);
}
$("words").addEventListener("input", showSources);
$("filter").addEventListener("submit", (event) => event.preventDefault());
$("sources").addEventListener("click", visit);
document.addEventListener("visibilitychange", () => document.hidden || ask());
ask();
setInterval(() => document.hidden || ask(), EVERY_MS);

async function ask() {
  // What hangs counts as no answer before long, and nothing queues up behind it.
  if (isAsking) return;
  isAsking = true;
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const response = await fetch("api/status", { signal }).catch(() => null);
  const answer = response?.ok ? await response.json().catch(() => null) : null;
  isAsking = false;
  showLost(!answer);
  if (!answer) return;
  status = answer;
  show();
}

/** Whether what is shown is no longer asked for. It stays, as what it is: the last that was known. */
function showLost(isLost) {
  document.body.classList.toggle("stale", isLost);
  $("lost").hidden = !isLost;
  if (!isLost) return;
  const since = status ? ` What is shown here is from ${new Date(status.now).toLocaleTimeString()}.` : "";
  $("lost").textContent = `Tributary does not answer.${since} It is asked again every ${EVERY_MS / 1000} seconds.`;
  $("summary").textContent = "No answer";
  document.title = "Tributary (no answer)";
}

async function visit(event) {
  const button = event.target.closest(".visit");
  if (!button || button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  const name = encodeURIComponent(button.dataset.source);
  await fetch(`api/sources/${name}/visit`, { method: "POST", headers: { "X-Tributary": "page" } }).catch(() => {});
  setTimeout(ask, 300);
}

function show() {
  const { sources, sinks, visits, settings, spill } = status;
  const troubled = sources.filter((source) => tone(source) === "bad").length;
  const trouble = troubled ? `, ${troubled} in trouble` : "";
  $("summary").textContent =
    `${sources.length} sources${trouble} · ${visits.under_way} visits under way · up ${length(status.uptime_seconds)}`;
  $("version").textContent = `version ${status.version}`;
  document.title = troubled ? `Tributary (${troubled})` : "Tributary";

  const notices = [];
  if (status.draining) notices.push(["Tributary is ending: visits under way are finished.", true]);
  if (settings.fault) notices.push([`${settings.file} is not in force, and nothing has changed:\n${settings.fault}`, false]);
  if (settings.waits_for_restart.length)
    notices.push([`Takes effect at the next start: ${settings.waits_for_restart.join(", ")}`, true]);
  if (!status.store.is_writable) notices.push(["The store takes no changes; the log says why.", false]);
  if (spill.items >= spill.items_max) notices.push(["The outbox is full. Sources pause until a sink takes something; nothing is lost.", true]);
  $("notices").replaceChildren(
    ...notices.map(([text, mild]) => element("p", { className: mild ? "notice mild" : "notice", textContent: text })),
  );

  $("spill-bar").max = spill.items_max;
  $("spill-bar").value = spill.items;
  $("spill-text").textContent = `${number(spill.items)} of ${number(spill.items_max)} items`;
  $("sinks").replaceChildren(...sinks.map(card));
  showSources();
  $("no-items").hidden = status.latest.length > 0;
  $("latest").replaceChildren(...status.latest.slice(0, 20).map(item));
}

function card(sink) {
  const tones = { idle: "good", delivering: "good", waiting: "bad" };
  const state = element("span", { className: "state", textContent: sink.state });
  state.dataset.tone = tones[sink.state] ?? "";
  const refused = sink.refused ? `, ${number(sink.refused)} refused` : "";
  return element("li", {}, [
    element("strong", { textContent: sink.name }),
    state,
    element("small", { textContent: `${sink.kind}: ${sink.target}` }),
    element("small", { textContent: `${number(sink.delivered)} delivered since the start, ${number(sink.behind)} behind${refused}` }),
    element("small", { textContent: sink.why + (sink.next_at ? `; next try ${when(sink.next_at)}` : "") }),
  ]);
}

function showSources() {
  if (!status) return;
  const isEmpty = status.sources.length === 0;
  $("none").hidden = !isEmpty;
  $("none").querySelector("code").textContent = `tributary --config ${status.settings.file} add https://blog.rust-lang.org/feed.xml`;
  for (const part of [$("filter"), document.querySelector(".scroll")]) part.hidden = isEmpty;
  const words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const button of $("states").children) {
    const state = button.textContent.split(" ")[0];
    button.textContent = `${state} ${status.sources.filter((source) => source.state === state).length}`;
  }
  const found = status.sources
    .filter((source) => !onlyState || source.state === onlyState)
    .filter((source) => words.every((word) => `${source.name} ${source.address} ${source.why} ${source.last_error ?? ""}`.toLowerCase().includes(word)))
    .sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
  place(found.slice(0, ROWS_MAX).map(row));
  $("more").textContent = found.length > ROWS_MAX ? `… and ${number(found.length - ROWS_MAX)} more; search for them.` : "";
}

/** Brings rows into their order. What stands in its place is not touched, so that it keeps the focus. */
function place(shown) {
  const body = $("sources");
  if (shown.length === body.children.length && shown.every((row, index) => row === body.children[index])) return;
  const focused = document.activeElement;
  body.replaceChildren(...shown);
  if (body.contains(focused)) focused.focus({ preventScroll: true });
  for (const [name, row] of rows) if (!row.isConnected) rows.delete(name);
}

function row(source) {
  const row = rows.get(source.name) ?? $("source").content.firstElementChild.cloneNode(true);
  rows.set(source.name, row);
  const set = (name, text) => (row.querySelector(name).textContent = text);
  set(".name", source.name);
  set(".address", source.moved_to ? `${source.address} → ${source.moved_to}` : source.address);
  row.querySelector(".address").href = source.moved_to ?? source.address;
  set(".state", source.waits_for && source.waits_for !== "schedule" ? `waits: ${source.waits_for}` : source.state);
  row.querySelector(".state").dataset.tone = tone(source);
  const next = source.next_at ? `${when(source.next_at)}: ` : "";
  set(".why", next + source.why);
  const error = source.last_error && !source.why.includes(source.last_error) ? source.last_error : "";
  set(".error", error);
  set(".items", number(source.items));
  set(".seen", source.last_success_at ? when(source.last_success_at) : "never");
  const button = row.querySelector(".visit");
  button.dataset.source = source.name;
  const unfit = noVisit(source);
  // Not `disabled`, which would take the focus away and keep the reason from whoever has no mouse.
  button.ariaDisabled = String(Boolean(unfit));
  button.title = unfit ?? "";
  return row;
}

/** Why a click would do nothing; null where it brings a visit. */
function noVisit(source) {
  if (source.state === "disabled") return "It is visited again when its settings change.";
  if (source.state === "visiting") return "It is being visited.";
  if (source.waits_for === "server") return "Its server asked for this time.";
  // What waits for a time can be hurried, and what waits for somebody else cannot.
  return source.next_at && source.waits_for !== "breaker" ? null : "It is about to be visited, and waits for its turn.";
}

function item(item) {
  const title = item.title || item.link || item.id;
  const head = item.link && /^https?:/.test(item.link)
    ? element("a", { href: item.link, rel: "noreferrer noopener", target: "_blank", textContent: title })
    : element("span", { textContent: title });
  const at = item.published ? `, ${when(item.published)}` : "";
  return element("li", {}, [head, element("small", { textContent: item.source + at })]);
}

function tone(source) {
  if (source.state === "parked" || source.state === "disabled") return "bad";
  if (source.state === "visiting") return "good";
  if (source.failures_in_a_row > 0 || source.waits_for === "breaker") return "bad";
  return source.waits_for === "schedule" ? "good" : "wait";
}

function rank(source) {
  return { bad: 0, wait: 1, good: 2 }[tone(source)];
}

function when(time) {
  const seconds = (new Date(time) - new Date(status.now)) / 1000;
  if (Math.abs(seconds) < 1) return "now";
  return seconds > 0 ? `in ${length(seconds)}` : `${length(-seconds)} ago`;
}

function length(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  // From half a unit below, where it would be told as a whole one of the smaller.
  for (const [size, unit] of units) if (seconds >= size * 0.99) return `${Math.round(seconds / size)} ${unit}`;
  return `${Math.max(1, Math.round(seconds))} s`;
}

function number(value) {
  return value.toLocaleString("en");
}

function element(tag, properties, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
