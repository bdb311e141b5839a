// The menu: exports, the time-lapse, keys, colours; for owners the room's settings.

import * as api from "../api.js";
import { ALL_LAYERS } from "../model/drawing.js";
import { ask, confirmed } from "./dialogs.js";
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";
import { LAYER_NAMES } from "./layers.js";
import { openHelp } from "./keys.js";
import { actsOf, toggle } from "./parts.js";
import { closePopover, popover } from "./popover.js";
import { nextTheme, theme } from "./theme.js";
import { toast } from "./toast.js";

export function prepareMore(id, session) {
  const button = byId("more-open");
  popover(button, byId("more"));
  button.setAttribute("aria-haspopup", "menu");
  const fill = () => byId("more").replaceChildren(...items(id, session).filter(Boolean).map(item));
  session.news.on("role", fill);
  button.addEventListener("click", fill, { capture: true });
  byId("more").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...byId("more").querySelectorAll("[role=menuitem]")];
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
    event.preventDefault();
  });
}

function items(id, session) {
  const name = session.roomName;
  return [
    { icon: "picture", label: "Save as PNG", act: () => save(id, "/export.png", `${name}.png`) },
    { icon: "picture", label: "Save as PNG, twice as large", act: () => save(id, "/export.png?scale=2", `${name}@2x.png`) },
    { icon: "picture", label: "Save as PNG, without paper", act: () => save(id, "/export.png?transparent=true", `${name}.png`) },
    { icon: "curve", label: "Save as SVG", act: () => save(id, "/export.svg", `${name}.svg`) },
    { icon: "film", label: "Time-lapse", act: () => { location.href = `/r/${id}/replay`; } },
    "rule",
    session.isOwner && { icon: "broom", label: "Clear…", act: () => clear(session) },
    session.isOwner && { icon: "settings", label: "Room…", act: () => settings(id, session) },
    session.isOwner && "rule",
    { icon: theme().icon, label: theme().label, act: () => toast(nextTheme().label) },
    { icon: "keys", label: "Keys and help", act: openHelp },
  ];
}

function item(entry) {
  if (entry === "rule") return h("hr");
  const act = () => {
    closePopover();
    Promise.resolve(entry.act()).catch((error) => toast(error.message));
  };
  return h("button", { type: "button", role: "menuitem", onclick: act }, icon(entry.icon), entry.label);
}

/** The server makes the picture; it is fetched because a link cannot send the room's token. */
async function save(id, path, name) {
  toast("The picture is being made.");
  const blob = await (await api.file(id, path)).blob();
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name.replace(/[\\/:*?"<>|]/g, " ") }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function clear(session) {
  const layers = LAYER_NAMES.map((name, layer) => ({ label: `The layer ${name}`, value: layer, tone: "bad" }));
  const choice = await confirmed({
    title: "Clear what?", text: "It is gone for everybody, and no undo brings it back. The time-lapse remembers it.",
    acts: [...layers.reverse(), { label: "Everything", value: ALL_LAYERS, tone: "bad" }],
  });
  if (choice !== null) session.clear(choice);
}

async function settings(id, session) {
  const [room, { items: members }] = await Promise.all([api.room(id), api.members(id)]);
  const banned = members.filter((member) => member.banned);
  await ask((answer) => {
    const name = h("input", { value: room.name, maxlength: 60, required: true });
    const isPublic = toggle("Let anybody watch", "It hangs in the gallery for all to see.", { checked: room.visibility === "public" });
    const trouble = h("p", { class: "trouble", role: "alert" });
    const guarded = (act) => async (event) => {
      event.preventDefault();
      try {
        await act();
        answer(true);
      } catch (error) {
        trouble.textContent = error.message;
      }
    };
    const keep = guarded(async () => {
      await api.changeRoom(id, { name: name.value.trim(), visibility: isPublic.input.checked ? "public" : "private" });
      session.renamed(name.value.trim());
    });
    return [h("form", { onsubmit: keep },
      h("h2", {}, "Room"),
      h("label", { class: "field" }, "Name", name),
      isPublic.element,
      h("p", { class: "gauge" }, meter(room), `${megabytes(room.used_bytes)} of ${megabytes(room.quota_bytes)} used`),
      banned.length > 0 ? bannedOf(id, banned) : null,
      h("div", { class: "far-acts" },
        h("button", { type: "button", class: "quiet", onclick: guarded(() => forget(id)) }, "Forget how it was drawn…"),
        h("button", { type: "button", class: "bad", onclick: guarded(() => remove(id)) }, "Delete the room…")),
      trouble,
      actsOf(() => answer(null), h("button", { class: "primary" }, "Save")))];
  });
}

const megabytes = (bytes) => `${(bytes / 1_048_576).toFixed(bytes < 10_485_760 ? 1 : 0)} MiB`;
const meter = (room) => h("meter", { min: 0, max: room.quota_bytes, high: room.quota_bytes * 0.9, value: room.used_bytes });

const bannedOf = (id, banned) =>
  h("section", {}, h("h3", {}, "Banned"), h("ul", { class: "persons" }, banned.map((each) => pardon(id, each))));

function pardon(id, { member, name }) {
  const row = h("li", {}, h("strong", {}, name), h("button", {
    type: "button", class: "quiet small",
    async onclick() { await api.unban(id, member); row.remove(); },
  }, "Let back in"));
  return row;
}

async function forget(id) {
  const sure = await confirmed({
    title: "Forget how it was drawn?",
    text: "The drawing stays as it is; the time-lapse begins anew. That makes room in a room that is full.",
    acts: [{ label: "Forget", value: true, tone: "bad" }],
  });
  if (sure) await api.forgetHistory(id);
}

async function remove(id) {
  const sure = await confirmed({
    title: "Delete the room?", text: "The drawing, its time-lapse and the chat are gone for everybody.",
    acts: [{ label: "Delete", value: true, tone: "bad" }],
  });
  if (!sure) return;
  await api.deleteRoom(id);
  api.forgetRoom(id);
  location.href = "/";
}
