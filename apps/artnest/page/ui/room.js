// The studio: puts a session, a renderer and the panels together, and keeps the sheet in view.

import * as api from "../api.js";
import { Surface } from "../input/surface.js";
import { Renderer } from "../render/renderer.js";
import { fit, keepInReach, pan, same, zoomAt } from "../render/view.js";
import { identify } from "../session/disk.js";
import { Session } from "../session/session.js";
import { Brush } from "./brush.js";
import { prepareChat } from "./chat.js";
import { asked } from "./dialogs.js";
import { prepareDock } from "./dock.js";
import { byId, h, show } from "./dom.js";
import { Hand } from "./hand.js";
import { prepareKeys } from "./keys.js";
import { prepareLayers } from "./layers.js";
import { prepareMore } from "./more.js";
import { prepareNotices } from "./notices.js";
import { preparePanels } from "./panels.js";
import { preparePeople } from "./people.js";
import { Pointers } from "./pointers.js";
import { openShare } from "./share.js";
import { toast } from "./toast.js";
import { showTrouble } from "./trouble.js";
import { NEW_ROLES, REFUSALS } from "./words.js";

const NAME = "artnest-name";
/** Of the sheet, at least so much stays on the screen. */
const REACH_PX = 80;

export async function showRoom(id) {
  takeToken(id);
  addEventListener("hashchange", () => { if (takeToken(id)) location.reload(); });
  const room = await api.room(id);
  api.noteRoom(id, { name: room.name });
  const name = localStorage.getItem(NAME) ?? (await firstName());
  const identity = await identify(id);
  open(id, room, new Session({ room, identity, token: api.tokenOf(id), name }));
}

/** Takes the token out of the address bar, before anybody can read it over a shoulder. */
function takeToken(id) {
  const token = location.hash.slice(1);
  if (!/^[\w-]{22}$/.test(token)) return false;
  api.noteRoom(id, { token });
  history.replaceState(null, "", location.pathname);
  return true;
}

const askName = (value, act) => asked({
  title: "What are you called?", text: "The others see it beside your pen.", label: "Name", value, max: 32, act,
  required: false,
});

/** Who keeps it to themselves has answered as well, and is not asked again: the server calls them a guest. */
async function firstName() {
  const name = (await askName("", "Come in")) ?? "";
  localStorage.setItem(NAME, name);
  return name;
}

async function rename(session) {
  const name = await askName(session.name, "Rename");
  if (!name || name === session.name) return;
  localStorage.setItem(NAME, name);
  session.rename(name);
}

function open(id, room, session) {
  show("room-page");
  const brush = new Brush();
  const stage = byId("stage");
  const renderer = new Renderer(stage, session.drawing);
  const pointers = new Pointers(stage.querySelector(".pointers"), session, renderer);
  const sheet = sheetOf(renderer, session);
  // They lie over the canvases.
  stage.append(stage.querySelector(".pointers"), stage.querySelector(".ring"));
  renderer.onView = () => {
    pointers.update();
    sheet.changed();
  };
  const hand = new Hand(session, renderer, brush);
  const surface = new Surface(stage, renderer, hand);
  renderer.flows = !matchMedia("(prefers-reduced-motion: reduce)").matches;

  prepareTitle(session);
  prepareDock(session, brush);
  prepareTool(session, brush, sheet);
  prepareLayers(session, renderer, brush);
  preparePeople(session, () => rename(session));
  const chat = prepareChat(session);
  const panels = preparePanels({ people: () => {}, chat: () => chat.opened() });
  prepareMore(id, session);
  prepareNotices(session);
  prepareRing(hand, brush, renderer);
  prepareFocus(stage);
  prepareKeys({ session, brush, sheet, panels, surface });
  byId("share-open").addEventListener("click", () => openShare(id, session).catch((error) => toast(error.message)));
  const zooms = { in: () => sheet.zoom(1.25), out: () => sheet.zoom(0.8), whole: sheet.whole };
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);
  session.news.on("refused", (code) => { if (REFUSALS[code]) toast(REFUSALS[code]); });
  session.news.on("role", (role) => toast(NEW_ROLES[role]));
  followStatus(session, renderer);
  sheet.whole();
  preview(room, renderer);
  session.start();
  // For whoever looks under the hood, and for the tests.
  window.artnest = { session, renderer, brush };
}

/** While the drawing is read, its thumbnail stands in; where there is none, the sheet is white. */
async function preview(room, renderer) {
  const blob = await api.picture(room.thumbnail, room.id).catch(() => null);
  if (blob && !renderer.animates) renderer.preview(URL.createObjectURL(blob));
}

function followStatus(session, renderer) {
  let wasLive = false;
  session.news.on("status", (status) => {
    const isReading = status.name === "reading" || status.name === "connecting";
    wasLive ||= status.name === "live";
    renderer.animates = status.name === "live";
    // The first time one may look on while the sheet fills.
    renderer.holds = isReading && wasLive;
    byId("veil").hidden = !isReading;
    const progress = h("progress", { max: 1, value: status.progress, "aria-label": "How much of it is here" });
    if (isReading) byId("veil").replaceChildren(h("p", {}, "Unrolling the sheet"), progress);
    if (status.name === "over") showTrouble(status);
  });
}

function prepareTitle(session) {
  const shown = () => {
    byId("room-name").textContent = session.roomName;
    document.title = `${session.roomName} · Artnest`;
  };
  session.news.on("state", shown);
  shown();
}

/** Whoever only watches has the hand that moves the sheet; whoever may draw gets the pen. */
function prepareTool(session, brush, sheet) {
  let role = "artist";
  const take = () => {
    if (session.role === role) return;
    if (session.role === "viewer") brush.tool = "hand";
    else if (role === "viewer") brush.tool = "pen";
    ({ role } = session);
    // The dock comes or goes with the role.
    sheet.refit();
  };
  session.news.on("state", take);
  take();
}

/** The sheet shows that it has the focus to whoever walks by Tab, not to whoever draws and presses keys in between. */
function prepareFocus(stage) {
  addEventListener("keydown", ({ key }) => stage.classList.toggle("by-key", key === "Tab"), { capture: true });
  addEventListener("pointerdown", () => stage.classList.remove("by-key"), { capture: true });
}

/** A ring as wide as the brush, where the pointer is. */
function prepareRing(hand, brush, renderer) {
  const ring = byId("stage").querySelector(".ring");
  hand.onHover = (sample) => {
    const shows = sample !== null && sample.type !== "touch" && (brush.tool === "pen" || brush.tool === "eraser");
    ring.hidden = !shows;
    if (!shows) return;
    const width = Math.max((brush.size * renderer.view.scale) / renderer.density, 3);
    Object.assign(ring.style, {
      width: `${width}px`, height: `${width}px`, transform: `translate(${sample.x - width / 2}px, ${sample.y - width / 2}px)`,
    });
  };
}

/** What keys and buttons do with the view. */
function sheetOf(renderer, session) {
  const size = session.drawing.sheet;
  const middle = () => [renderer.width / 2, renderer.height / 2];
  const reach = (next) => keepInReach(next, size, renderer.width, renderer.height, REACH_PX * renderer.density);
  /** The view that showed the whole sheet; while nobody moved from it, the sheet is kept whole. */
  let fitted = null;
  const whole = () => {
    fitted = fit(size, freeOf(renderer));
    renderer.view = fitted;
  };
  const refit = () => requestAnimationFrame(() => { if (fitted && same(renderer.view, fitted)) whole(); });
  addEventListener("resize", refit);
  return {
    whole,
    refit,
    zoom(factor) { renderer.view = zoomAt(renderer.view, factor, ...middle(), renderer.density); },
    actual() { this.zoom(renderer.density / renderer.view.scale); },
    move(dx, dy) { renderer.view = pan(renderer.view, dx * renderer.density, dy * renderer.density); },
    changed() {
      renderer.view = reach(renderer.view);
      document.querySelector(".level").textContent = `${Math.round((renderer.view.scale / renderer.density) * 100)} %`;
    },
  };
}

/** The part of the stage that no bar covers, in device pixels; where there is no dock, about as much as above. */
function freeOf({ width, height, density }) {
  const top = (document.querySelector(".bar-left")?.getBoundingClientRect().bottom ?? 0) * density;
  const dock = byId("dock").getBoundingClientRect();
  const bottom = dock.height > 0 ? dock.top * density : height - top / 2;
  return [0, top, width, bottom];
}
