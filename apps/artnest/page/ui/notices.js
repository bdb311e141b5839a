// What everybody in the room must know for as long as it lasts: the line is down, the room is full, one only watches.

import { byId, h } from "./dom.js";
import { plural, READ_ONLY } from "./words.js";

/** From here on an owner is told how full the room is. */
const FILLING = 0.9;
const WORDS = { connecting: "Connecting", reading: "Reading", live: "Live", lost: "Offline", over: "Over" };

export function prepareNotices(session) {
  const show = () => {
    const { name } = session.status;
    if (byId("status").dataset.status !== name) byId("status").textContent = WORDS[name];
    byId("status").dataset.status = name;
    const notices = [lineOf(session), readOnlyOf(session), fillingOf(session), watchesOf(session)].filter(Boolean);
    // What is said already is not said again, least of all by a screen reader.
    const isSaid = notices.map((notice) => notice.textContent).join() === [...byId("notices").children].map((notice) => notice.textContent).join();
    if (!isSaid) byId("notices").replaceChildren(...notices);
  };
  session.news.on("status", show);
  session.news.on("state", show);
  show();
}

function lineOf(session) {
  if (session.status.name !== "lost") return null;
  const waiting = session.outbox.strokes;
  const queue = waiting > 0 ? `${plural(waiting, "stroke")} kept here, to be sent when it is back.` : "What you draw is kept here until it is back.";
  return h("p", { class: "notice", "data-tone": "wait" }, h("strong", {}, "The line is down."), ` ${queue}`);
}

function readOnlyOf(session) {
  if (!session.readOnly) return null;
  const { reason, text } = session.readOnly;
  const held = session.outbox.heldStrokes.size;
  return h("p", { class: "notice", "data-tone": "bad" }, h("strong", {}, "Nobody can draw just now."), ` ${text || READ_ONLY[reason]}`,
    held > 0 ? [` ${plural(held, "stroke")} of yours ${held === 1 ? "waits" : "wait"}. `,
      h("button", { type: "button", class: "quiet small", onclick: () => session.discardHeld() }, "Take back")] : null);
}

/** An owner can make room before it is too late. */
function fillingOf(session) {
  const { used, quota, readOnly, isOwner } = session;
  if (!isOwner || readOnly || quota === 0 || used / quota < FILLING) return null;
  return h("p", { class: "notice", "data-tone": "wait" }, h("strong", {}, `The room is ${Math.floor((100 * used) / quota)} % full.`),
    " Under More, Room, you can forget how it was drawn; that makes room.");
}

function watchesOf(session) {
  if (session.role !== "viewer" || session.status.name !== "live") return null;
  return h("p", { class: "notice" }, h("strong", {}, "You are watching."), " To draw, ask an owner for an artist’s link.");
}
