// The way in for others: a link for each role, to copy or to renew; for guests, the link by which they came.

import * as api from "../api.js";
import { ask, confirmed } from "./dialogs.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { heading, iconButton } from "./parts.js";
import { toast } from "./toast.js";

const OFFERS = [
  { role: "artist", title: "To draw", text: "Whoever has it can draw, undo their own strokes and chat." },
  { role: "viewer", title: "To watch", text: "Whoever has it can look, point and chat." },
  { role: "owner", title: "To own", text: "As you: can also clear, lock, send people out, and delete the room." },
];

export async function openShare(id, session) {
  if (session.isOwner) {
    const links = await api.links(id);
    await show(OFFERS.map((offer) => ownersOffer(id, offer, links)));
    return;
  }
  const url = `${location.origin}/r/${id}${api.tokenOf(id) ? `#${api.tokenOf(id)}` : ""}`;
  const text = session.role === "viewer" ? "Whoever has it can watch." : "Whoever has it comes in as you did.";
  await show([offerOf("Link to this room", text, url)]);
}

const show = (offers) => ask((answer) => [heading("Share this room", () => answer(null)), h("div", { class: "offers" }, offers)]);

function ownersOffer(id, { role, title, text }, links) {
  const urlOf = (known) => new URL(known[role].path, location.origin).href;
  const element = offerOf(title, text, urlOf(links));
  const renew = iconButton("renew", `Renew the link ${title.toLowerCase()}`, {
    class: "small", title: "Renew: the old link lets no newcomer in any more",
    async onclick() {
      const sure = await confirmed({
        title: "Renew this link?", text: "The old one lets no newcomer in. Who is in already stays.",
        acts: [{ label: "Renew", value: true }],
      });
      if (!sure) return;
      try {
        element.querySelector("input").value = urlOf(await api.renewLink(id, role));
        toast("The link is new.");
      } catch (error) {
        toast(error.message);
      }
    },
  });
  element.querySelector(".line").append(renew);
  return element;
}

function offerOf(title, text, url) {
  const input = h("input", { value: url, readonly: true, "aria-label": title, onfocus: () => input.select() });
  const copy = h("button", { type: "button", class: "primary", onclick: () => copyOf(input) }, icon("copy"), "Copy");
  return h("section", { class: "offer" }, h("h3", {}, title), h("p", {}, text), h("div", { class: "line" }, input, copy));
}

async function copyOf(input) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    toast("Copied.");
  } catch {
    // A page from plain HTTP may not write to the clipboard; the link is selected, so the keys do it.
    toast("Press Ctrl C to copy.");
  }
}
