// Who is here: faces in the bar, and a panel with names, roles and, for owners, what they may do about people.

import { confirmed } from "./dialogs.js";
import { byId, h } from "./dom.js";
import { colourOf, initialsOf } from "./palette.js";
import { iconButton } from "./parts.js";
import { toast } from "./toast.js";
import { ROLE_WORDS } from "./words.js";

const FACES_MAX = 4;

export const face = (member, name) => {
  const element = h("span", { class: "face", title: name, "aria-hidden": "true" }, initialsOf(name));
  element.style.setProperty("--hue", colourOf(member));
  return element;
};

export function preparePeople(session, onRename) {
  const show = () => {
    const { here } = session.crowd;
    // Oneself first, then owners, then by name.
    const rank = ({ member, role }) => (member === session.member ? 0 : role === "owner" ? 1 : 2);
    here.sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
    byId("people-open").replaceChildren(...faces(here));
    byId("people-open").setAttribute("aria-label", `${here.length} here`);
    byId("people").replaceChildren(
      h("header", {}, h("h2", {}, "People"), h("p", { class: "hint" }, `${here.length} here`)),
      h("ul", { class: "persons" }, here.map((person) => row(person, session, onRename))),
    );
  };
  session.news.on("roster", show);
  show();
}

function faces(here) {
  const shown = here.slice(0, FACES_MAX).map(({ member, name }) => face(member, name));
  const more = here.length - shown.length;
  return more > 0 ? [...shown, h("span", { class: "face rest" }, `+${more}`)] : shown;
}

function row(person, session, onRename) {
  const isMe = person.member === session.member;
  const name = h("strong", {}, person.name, isMe ? " (you)" : "");
  const words = h("div", { class: "who" }, name, h("small", {}, ROLE_WORDS[person.role]));
  const acts = isMe
    ? h("button", { type: "button", class: "quiet small", onclick: onRename }, "Rename")
    : session.isOwner ? ownersActs(person, session) : null;
  return h("li", {}, face(person.member, person.name), words, acts);
}

function ownersActs({ member, name, role }, session) {
  const give = () => {
    session.setRole(member, roles.value);
    if (role === "owner") toast("If they know the owners’ link, renew it under Share: it still opens the room to own.");
  };
  const roles = h("select", { "aria-label": `Role of ${name}`, onchange: give },
    ["viewer", "artist", "owner"].map((each) => h("option", { value: each, selected: each === role }, ROLE_WORDS[each])));
  const out = iconButton("close", `Send ${name} out`, {
    class: "small",
    async onclick() {
      const choice = await confirmed({
        title: `Send ${name} out?`,
        text: "They may come back by the link, unless you ban them. What they drew stays. " +
          "A link that they know lets them in as somebody new until you renew it under Share.",
        acts: [{ label: "Send out", value: "kick" }, { label: "Send out and ban", value: "ban", tone: "bad" }],
      });
      if (choice) session.kick(member, choice === "ban");
    },
  });
  return h("div", { class: "acts" }, roles, out);
}
