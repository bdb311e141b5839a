// What the page says to people about codes: what is the matter, and what to do.

/** Why one cannot draw now, by the word of `Session.obstacle`. */
export const OBSTACLES = {
  over: "This visit is over.",
  reading: "The room is still being read.",
  viewer: "You are watching. To draw, ask an owner for an artist’s link.",
  readOnly: "Nobody can draw just now.",
  locked: "This layer is locked. Choose another one, or ask an owner.",
  hidden: "This layer is hidden. Show it to draw on it.",
};

/** What became of something that the server did not take. */
export const REFUSALS = {
  forbidden: "Your role does not allow that.",
  layer_locked: "That layer was locked, so the stroke was taken back.",
  stroke_gone: "That stroke is not there any more.",
  stroke_too_long: "The stroke was too long; its end is missing.",
  out_of_bounds: "That does not exist in this room.",
  nothing_to_do: "There was nothing to do any more.",
};

/** Pages that say what to do, by code: of an HTTP problem, or of the error that ended a visit. */
export const TROUBLES = {
  no_page: {
    title: "There is no such page", act: "gallery",
    text: "The address may have been cut off when it was copied.",
  },
  no_entry: {
    title: "This door does not open", act: "gallery",
    text: "There is no such room, or the link to it was renewed. Ask whoever invited you for a new link; it must be " +
      "copied whole, with what stands after the #.",
  },
  banned: {
    title: "You cannot come in", act: "gallery",
    text: "An owner of this room has banned you. Only an owner can take that back.",
  },
  kicked: { title: "You were sent out", act: "again", text: "An owner has asked you to leave. You may come back." },
  full: { title: "The room is full", act: "again", text: "There is no place left just now. Try again in a while." },
  replaced: {
    title: "This room is open elsewhere", act: "again",
    text: "The same visit goes on in another tab or window. It is there, whole; or take it back here.",
  },
  room_deleted: { title: "The room is gone", act: "gallery", text: "An owner has deleted it, with its drawing." },
  version: {
    title: "A newer server", act: "again",
    text: "The server has changed since this page was loaded. Load it again.",
  },
  offline: {
    title: "The server does not answer", act: "again",
    text: "Your line may be down, or the server is being started. Nothing of what you drew is lost: it waits in this browser.",
  },
  no_history: { title: "Nothing to play yet", act: "room", text: "Nobody has drawn in this room." },
  unknown: {
    title: "Something went wrong", act: "again",
    text: "Load the page again. If it happens twice, tell whoever runs this server.",
  },
};

/** The same matters by the status of an HTTP answer. */
export const CODE_OF_STATUS = { 401: "no_entry", 403: "no_entry", 404: "no_entry" };

export const NEW_ROLES = {
  viewer: "You are watching now.", artist: "You may draw now.", owner: "You own this room now.",
};

export const ROLE_WORDS = { viewer: "watches", artist: "draws", owner: "owns the room" };

/** Why nobody can draw, where the server does not say it in its own words. */
export const READ_ONLY = {
  quota: "The room is full.",
  disk: "The server’s disk is full.",
  store: "The server cannot write.",
  closing: "The server is closing.",
};

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

const units = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3_600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "3 hours ago". */
export function ago(at) {
  const seconds = (new Date(at) - Date.now()) / 1_000;
  for (const [unit, length] of units) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return "just now";
}
