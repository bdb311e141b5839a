// The time-lapse: the log of a room played again, with its pauses cut short. A drawing is a replica without an own member;
// going back means to play again from the start.

import * as api from "../api.js";
import { Surface } from "../input/surface.js";
import { Replica } from "../model/replica.js";
import { Renderer } from "../render/renderer.js";
import { fit } from "../render/view.js";
import { readStream } from "../wire/frames.js";
import { Reader } from "../wire/bytes.js";
import { readRecords } from "../wire/ops.js";
import { unpack } from "../wire/unpack.js";
import { byId, h, show } from "./dom.js";
import { setIcon } from "./icons.js";
import { asScript } from "./script.js";
import { showTrouble } from "./trouble.js";

const SEEK_MAX = 1_000;
/** What the bar above and the player below cover of the stage. */
const BAR_PX = 64;
const PLAYER_PX = 88;
const SPEEDS = [1, 4, 16, 64];
/** The slowest speed at which all is told in so long is where one begins. */
const TOLD_MS = 30_000;

export async function showReplay(id) {
  const room = await api.room(id);
  show("replay-page");
  document.title = `${room.name}, the time-lapse · Artnest`;
  byId("room-name").textContent = room.name;
  document.querySelector("[data-back]").href = `/r/${id}`;
  byId("veil").hidden = false;
  byId("veil").replaceChildren(h("p", {}, "Fetching how it came about"));
  const script = asScript(await read(id));
  byId("veil").hidden = true;
  if (script.records.length === 0) return showTrouble({ code: "no_history" });
  play(script, room);
}

/** The records of the history, each with its time; what a forgotten past left comes first, without one. */
async function read(id) {
  const bytes = new Uint8Array(await (await api.file(id, "/history")).arrayBuffer());
  const records = [];
  for (const frame of readStream(bytes)) {
    if (frame.type === "snapshotPart") {
      for (const record of readRecords(new Reader(await unpack(frame.packed)))) records.push({ record, time: null });
    }
    if (frame.type === "log") for (const record of frame.records) records.push({ record, time: frame.time });
  }
  return records;
}

function play({ records, times, length }, room) {
  const replica = new Replica({ width: room.width, height: room.height });
  const renderer = new Renderer(byId("stage"), replica.drawing);
  renderer.animates = true;
  renderer.flows = false;
  // There is nothing to draw with: the surface only moves the sheet.
  const surface = new Surface(byId("stage"), renderer, { tool: "hand", fingersDraw: false, hover() {}, away() {} });
  const whole = () => {
    const { width, height, density } = renderer;
    renderer.view = fit(replica.drawing.sheet, [0, BAR_PX * density, width, height - PLAYER_PX * density]);
  };
  whole();
  addEventListener("resize", () => requestAnimationFrame(whole));

  let at = 0;
  let next = 0;
  let playing = false;
  let before = 0;
  const goTo = (moment) => {
    if (moment < at) {
      replica.reset();
      next = 0;
    }
    at = Math.min(Math.max(moment, 0), length);
    renderer.animates = playing;
    while (next < records.length && times[next] < at) replica.confirm(records[next++]);
    byId("seek").value = String(Math.round((at / Math.max(length, 1)) * SEEK_MAX));
    byId("seek").setAttribute("aria-valuetext", clock(at));
    byId("moment").textContent = `${clock(at)} / ${clock(length)}`;
  };
  const step = (now) => {
    if (!playing) return;
    goTo(at + (now - before) * Number(byId("speed").value));
    before = now;
    if (at >= length) set(false);
    else requestAnimationFrame(step);
  };
  const set = (plays) => {
    playing = plays;
    setIcon(byId("play"), plays ? "pause" : "play");
    byId("play").setAttribute("aria-label", plays ? "Pause" : "Play");
    if (!plays) return;
    if (at >= length) goTo(0);
    before = performance.now();
    requestAnimationFrame(step);
  };
  byId("play").addEventListener("click", () => set(!playing));
  byId("seek").addEventListener("input", () => goTo((Number(byId("seek").value) / SEEK_MAX) * length));
  addEventListener("keydown", (event) => {
    if (event.key !== " " || event.target.matches("button, select")) return;
    event.preventDefault();
    set(!playing);
  });
  window.artnest = { renderer, replica, surface };
  byId("speed").value = String(SPEEDS.find((speed) => length / speed <= TOLD_MS) ?? SPEEDS.at(-1));
  goTo(0);
  set(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}

function clock(ms) {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
