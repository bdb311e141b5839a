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
    if (wordsOf(notices) !== wordsOf(byId("notices").children)) byId("notices").replaceChildren(...notices);
  };
  session.news.on("status", show);
  session.news.on("state", show);
  show();
}

const wordsOf = (notices) => [...notices].map(({ textContent }) => textContent).join("\n");

const notice = (tone, title, ...words) => h("p", { class: "notice", "data-tone": tone }, h("strong", {}, title), " ", ...words);

function lineOf(session) {
  if (session.status.name !== "lost") return null;
  const waiting = session.outbox.strokes;
  const kept = `${plural(waiting, "stroke")} kept here, to be sent when it is back.`;
  return notice("wait", "The line is down.", waiting > 0 ? kept : "What you draw is kept here until it is back.");
}

function readOnlyOf(session) {
  if (!session.readOnly) return null;
  const { reason, text } = session.readOnly;
  const held = session.outbox.heldStrokes.size;
  const words = [text || READ_ONLY[reason]];
  if (held > 0) {
    words.push(` ${plural(held, "stroke")} of yours ${held === 1 ? "waits" : "wait"}. `);
    words.push(h("button", { type: "button", class: "quiet small", onclick: () => session.discardHeld() }, "Take back"));
  }
  return notice("bad", "Nobody can draw just now.", ...words);
}

/** An owner can make room before it is too late. */
function fillingOf(session) {
  const { used, quota, readOnly, isOwner } = session;
  if (!isOwner || readOnly || quota === 0 || used / quota < FILLING) return null;
  const share = Math.floor((100 * used) / quota);
  return notice("wait", `The room is ${share} % full.`, "Under More, Room, you can forget how it was drawn; that makes room.");
}

function watchesOf(session) {
  if (session.role !== "viewer" || session.status.name !== "live") return null;
  return notice("", "You are watching.", "To draw, ask an owner for an artist’s link.");
}
