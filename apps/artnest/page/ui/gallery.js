// The gallery: one's own rooms, the open ones, and the way to make a new one.

import * as api from "../api.js";
import { closeOnBackdrop } from "./dialogs.js";
import { h, show } from "./dom.js";
import { drawNest } from "./nest.js";
import { iconButton } from "./parts.js";
import { prepareToggle } from "./theme.js";
import { ago, plural } from "./words.js";

/** One's own rooms that are looked up. */
const YOURS_MAX = 12;

export async function showGallery(opensDialog) {
  const page = show("gallery-page");
  document.title = "Artnest";
  prepareToggle(page.querySelector("[data-theme-toggle]"));
  drawNest(page.querySelector(".hero-nest"));
  const openDialog = prepareDialog(page);
  page.querySelector("[data-new]").addEventListener("click", openDialog);
  if (opensDialog) openDialog();
  await Promise.all([showYours(page.querySelector("#yours")), showOpen(page.querySelector("#open")), showServer(page)]);
}

async function showServer(page) {
  const server = await api.server().catch(() => null);
  if (!server) return;
  page.querySelector("[data-version]").textContent = `Artnest ${server.version}`;
  page.querySelector("[data-create-key]").hidden = !server.create_needs_key;
  page.querySelector("[data-new]").disabled = !server.may_create;
  if (!server.may_create) page.querySelector(".hero-acts .hint").textContent = "Here, the operator makes the rooms.";
}

/** Why a room does not open, by the status of the answer. */
const CLOSED = { 403: "you were banned from it", 404: "gone, or its link was renewed" };

/** The rooms whose links this browser has; one that is gone can be taken off the wall. */
async function showYours(section) {
  const known = api.knownRooms().slice(0, YOURS_MAX);
  section.hidden = known.length === 0;
  const cards = await Promise.all(known.map(async ({ id, name }) => {
    try {
      return card(await api.room(id), { forget: true });
    } catch (error) {
      const closed = CLOSED[error.status];
      return card({ id, name: name || id, thumbnail: null }, closed ? { forget: true, closed } : {});
    }
  }));
  section.querySelector(".cards").replaceChildren(...cards);
}

async function showOpen(section) {
  const more = section.querySelector("[data-more]");
  const list = section.querySelector(".cards");
  const trouble = section.querySelector(".trouble");
  let cursor = null;
  const read = async () => {
    trouble.hidden = true;
    try {
      const { items, next } = await api.rooms(cursor);
      list.append(...items.map((room) => card(room, {})));
      cursor = next;
      more.hidden = next === null;
      section.querySelector(".empty").hidden = list.children.length > 0;
    } catch (error) {
      trouble.textContent = `The open rooms cannot be read: ${error.message}`;
      trouble.hidden = false;
      more.hidden = false;
      more.textContent = "Try again";
    }
  };
  more.addEventListener("click", read);
  await read();
}

function card(room, { forget = false, closed = null }) {
  const frame = h("div", { class: "paper-frame" });
  if (room.thumbnail) hang(room, frame);
  const words = closed ?? `${room.updated_at ? ago(room.updated_at) : ""}${roleOf(room)}`;
  const now = room.online > 0 ? h("span", { class: "now" }, `${plural(room.online, "person", "people")} in`) : null;
  const element = h("li", { class: closed ? "card gone" : "card" },
    h("a", { href: `/r/${room.id}` }, frame, h("h3", {}, room.name), h("p", { class: "meta" }, now, words)));
  if (forget) {
    element.append(iconButton("close", `Forget ${room.name}`, {
      class: "small forget", title: "Take it off this wall. The room stays.",
      onclick: () => { api.forgetRoom(room.id); element.remove(); },
    }));
  }
  return element;
}

const roleOf = ({ role }) => (role === "owner" ? " · yours" : "");

/** Hangs the picture once it is there. */
async function hang(room, frame) {
  try {
    const src = URL.createObjectURL(await api.picture(room.thumbnail, room.id));
    const image = h("img", { alt: "", src, class: room.width / room.height < 1.5 ? "upright" : null });
    await image.decode();
    frame.append(image);
  } catch (error) {
    console.warn(`no thumbnail of ${room.id}:`, error);
  }
}

function prepareDialog(page) {
  const dialog = page.querySelector("[data-dialog=new]");
  const form = dialog.querySelector("form");
  const trouble = form.querySelector(".trouble");
  closeOnBackdrop(dialog);
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector(".primary");
    button.disabled = true;
    trouble.hidden = true;
    try {
      location.href = await create(form.elements);
    } catch (error) {
      trouble.textContent = error.message;
      trouble.hidden = false;
      button.disabled = false;
    }
  });
  return () => dialog.showModal();
}

/** Creates the room and returns the owner's way in. */
async function create({ name, sheet, public: isPublic, key }) {
  const [width, height] = sheet.value.split("x").map(Number);
  const visibility = isPublic.checked ? "public" : "private";
  const { room, links } = await api.createRoom({ name: name.value.trim(), visibility, width, height }, key.value || null);
  api.noteRoom(room.id, { name: room.name, token: links.owner.token });
  return `/r/${room.id}`;
}
