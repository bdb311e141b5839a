// What this is, what it keeps and where: for whoever was handed a link.

import { byId, h } from "./dom.js";

export async function showAbout() {
  document.title = "About · Artnest";
  byId("page").replaceChildren(h("main", { class: "about" },
    h("a", { class: "brand", href: "/" }, h("img", { src: "/assets/artnest.svg", alt: "", width: 36, height: 36 }), " Artnest"),
    h("h1", {}, "A studio to draw together in"),
    h("p", {}, "A room is one sheet of paper with three layers. Whoever has its link sees every stroke while it is drawn, and what was drawn is kept."),
    h("h2", {}, "Links are keys"),
    h("p", {}, "There are no accounts. A room has three links: to watch, to draw, to own. Give them as you would give a key. An owner can renew a link; the old one then lets nobody in any more."),
    h("h2", {}, "Nothing is lost"),
    h("ul", {},
      h("li", {}, "A stroke that has reached the server is on its disk before anybody else sees it."),
      h("li", {}, "When the line is down, go on drawing. Your strokes are kept in this browser and sent when it is back, once each, also after you closed the tab."),
      h("li", {}, "Undo takes back your own strokes and nobody else’s.")),
    h("h2", {}, "What is kept, and where"),
    h("ul", {},
      h("li", {}, "On this server: the strokes, the chat, the names people gave themselves, and when."),
      h("li", {}, "In this browser: the keys of the rooms you visited, your name, your brush, and strokes that are not sent yet."),
      h("li", {}, "Nowhere else. The page asks nothing of any other server.")),
    h("h2", {}, "With pen and finger"),
    h("p", {}, "A pen’s pressure makes the line; its other end erases. Once a pen was seen, fingers and palms only move the sheet. Two fingers zoom. The question mark shows all keys."),
  ));
}
