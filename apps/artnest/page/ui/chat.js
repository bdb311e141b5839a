// The talk beside the drawing: in the room's one order, kept with it, sent later where the line is down.

import { byId, h } from "./dom.js";
import { icon } from "./icons.js";
import { face } from "./people.js";

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const BYTES_MAX = 1_000;

export function prepareChat(session) {
  const list = h("ol", { class: "sayings", "aria-live": "polite" });
  const input = h("input", {
    "aria-label": "Say something", placeholder: "Say something", maxlength: BYTES_MAX / 2, autocomplete: "off",
  });
  const form = h("form", { onsubmit: (event) => { event.preventDefault(); say(); } },
    input, h("button", { class: "icon-button", "aria-label": "Send" }, icon("send")));
  byId("chat").append(h("header", {}, h("h2", {}, "Chat")), list, form);

  const say = () => {
    const text = input.value.replace(/\p{Cc}/gu, " ").trim();
    if (text === "" || new TextEncoder().encode(text).length > BYTES_MAX) return;
    session.say(text);
    input.value = "";
  };
  const show = (fresh) => {
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.replaceChildren(...session.talk.sayings.map((saying, at) => row(saying, session.talk.sayings[at - 1], session)));
    if (session.talk.sayings.length === 0) list.append(h("li", { class: "empty" }, "Nobody has said anything yet."));
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    const isNews = fresh?.time && fresh.member !== session.member && session.status.name === "live";
    if (isNews && byId("chat").hidden) byId("chat-open").classList.add("has-news");
  };
  session.news.on("sayings", show);
  session.news.on("roster", () => show(null));
  show(null);
  return {
    opened() {
      byId("chat-open").classList.remove("has-news");
      list.scrollTop = list.scrollHeight;
      input.focus();
    },
  };
}

function row({ member, text, time, waits }, before, session) {
  const name = session.crowd.nameOf(member) ?? "Somebody";
  if (before?.member === member) return h("li", { class: "goes-on", "data-waits": String(waits) }, h("div", {}, h("p", {}, text)));
  const at = time ? h("time", { datetime: new Date(time).toISOString() }, clock.format(time)) : null;
  return h("li", { "data-waits": String(waits) },
    face(member, name),
    h("div", {}, h("p", { class: "by" }, h("strong", {}, name), at), h("p", {}, text)));
}
