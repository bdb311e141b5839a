// Artnest's page: reads the address and shows what it names. Each page is a document load of its own; there is no state
// to carry from one to the next but what the browser keeps.
//
// In reading order: `ink` (from points to ink), `model` (a drawing and this tab's copy of it), `wire` (bytes), `session`
// (a visit to a room), `render` (a drawing on canvases), `input` (hands), `ui` (everything with a label).

import { show } from "./ui/dom.js";
import { prepareTheme } from "./ui/theme.js";
import { showTrouble } from "./ui/trouble.js";

prepareTheme();
route(location.pathname.split("/").slice(1)).catch((error) => {
  console.error(error);
  showTrouble(error);
});

async function route([first, id, rest]) {
  if (first === "r" && id && rest === undefined) return (await import("./ui/room.js")).showRoom(id);
  if (first === "r" && id && rest === "replay") return (await import("./ui/replay.js")).showReplay(id);
  if (first === "about" && id === undefined) {
    document.title = "About · Artnest";
    return show("about-page");
  }
  if ((first === "" || first === "new") && id === undefined) {
    return (await import("./ui/gallery.js")).showGallery(first === "new");
  }
  showTrouble({ code: "no_page" });
}
