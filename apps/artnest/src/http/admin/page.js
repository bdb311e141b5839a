// The operator's page: what runs, and the few orders that rooms need. Everything is set as text, never as markup.

const $ = (selector) => document.querySelector(selector);
let key = sessionStorage.getItem("artnest-admin-key");
let cursor = null;

async function ask(path, order) {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const options = order
    ? { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(order) }
    : { headers };
  const response = await fetch(path, options);
  $("#key").hidden = response.status !== 401;
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text !== null) made.textContent = text;
  made.append(...children);
  return made;
}

/** As quotas are given. */
const MIB = 1_048_576;
const mib = (bytes) => `${(bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0)} MiB`;

async function showStatus() {
  const health = $("#health");
  try {
    const status = await ask("/api/status");
    const trouble = status.trouble ?? (status.draining ? "shutting down" : null);
    health.textContent = trouble ?? "takes strokes";
    health.className = trouble ? "bad" : "good";
    const online = status.live.reduce((sum, room) => sum + room.online, 0);
    const figures = {
      "here now": online, "live rooms": status.live.length, rooms: status.totals.rooms, members: status.totals.members,
      strokes: status.totals.strokes, stored: mib(status.totals.used_bytes),
      "last commit": `${status.store.last_commit_ms.toFixed(1)} ms`, "up for": `${Math.floor(status.uptime_seconds / 60)} min`,
    };
    $("#figures").replaceChildren(...Object.entries(figures).map(([name, value]) =>
      element("div", null, element("dt", name), element("dd", String(value)))));
  } catch (error) {
    health.textContent = error.message;
    health.className = "bad";
  }
}

function button(text, act) {
  const made = element("button", text);
  made.addEventListener("click", () => act().then(showRooms, (error) => alert(error.message)));
  return made;
}

function row(room) {
  const quota = room.quota_bytes === null ? "default" : `${Math.floor(room.quota_bytes / MIB)} MiB`;
  const buttons = element("td", null,
    button("Links", () => showLinks(room)), " ",
    button("Quota…", () => changeQuota(room)), " ",
    button("Delete", async () => {
      if (confirm(`Delete “${room.name}” with everything in it?`)) await ask("/api/orders", { order: "delete", room: room.id });
    }));
  const name = element("td", room.name, element("small", `${room.id} · ${room.visibility}`));
  const drawn = new Date(room.updated_at_ms).toLocaleString();
  const cells = [room.strokes, room.online, mib(room.used_bytes), quota, drawn].map((text) => element("td", String(text)));
  return element("tr", null, name, ...cells, buttons);
}

async function changeQuota(room) {
  const given = prompt("MiB for this room; empty: the server's default", "")?.trim();
  if (given === undefined) return;
  if (!/^\d*$/.test(given)) throw new Error(`“${given}” is no whole number of MiB. The quota stays as it was.`);
  // What is left out is the server's default.
  await ask("/api/orders", { order: "quota", room: room.id, ...(given !== "" && { mib: Number(given) }) });
}

async function showLinks(room) {
  const { base, links } = await ask("/api/orders", { order: "links", room: room.id });
  $("#links h2").textContent = room.name;
  $("#links dl").replaceChildren(...Object.entries(links).flatMap(([role, link]) =>
    [element("dt", role), element("dd", base + link.path)]));
  $("#links").showModal();
}

async function showRooms(more = false) {
  const list = await ask("/api/orders", { order: "list", cursor: more === true ? cursor : null });
  const rows = list.items.map(row);
  if (more === true) $("#rooms").append(...rows);
  else $("#rooms").replaceChildren(...rows);
  cursor = list.next;
  $("#more").hidden = cursor === null;
}

$("#more").addEventListener("click", () => showRooms(true));
$("#key").addEventListener("submit", (event) => {
  event.preventDefault();
  key = $("#key input").value;
  sessionStorage.setItem("artnest-admin-key", key);
  showStatus();
  showRooms().catch(() => {});
});
showStatus();
showRooms().catch(() => {});
setInterval(showStatus, 5_000);
