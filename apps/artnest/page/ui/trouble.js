// A whole page that says what is the matter and what to do about it.

import { byId, h } from "./dom.js";
import { CODE_OF_STATUS, TROUBLES } from "./words.js";

/** Shows what `error` is about: a `Problem`, the end of a visit, or anything that was thrown. */
export function showTrouble(error) {
  const code = TROUBLES[error.code] ? error.code : CODE_OF_STATUS[error.status] ?? "unknown";
  const { title, text, act } = TROUBLES[code];
  document.title = `${title} · Artnest`;
  const again = h("button", { class: "primary large", onclick: () => location.reload() }, "Try again");
  const tone = act === "gallery" ? "primary" : "quiet";
  const gallery = h("a", { class: `button ${tone} large`, href: "/" }, "To the gallery");
  const room = h("a", { class: "button primary large", href: location.pathname.replace(/\/replay$/, "") }, "To the room");
  byId("page").replaceChildren(
    h("main", { class: "trouble-page" },
      h("a", { class: "brand", href: "/" }, h("img", { src: "/assets/artnest.svg", alt: "", width: 36, height: 36 }), " Artnest"),
      h("h1", {}, title),
      h("p", {}, text),
      error.text ? h("p", { class: "hint" }, `The server says: ${error.text}`) : null,
      h("p", { class: "acts" }, act === "again" ? again : null, act === "room" ? room : null, gallery),
    ),
  );
}
