// The picture on the gallery's door: a nest with three eggs, drawn stroke by stroke by the same ink as in the rooms.
// Whoever likes may try the pen on it; nothing of that is sent or kept.

import { paint } from "../ink/path.js";
import { Shaper } from "../input/shaper.js";

const WIDTH = 960;
const HEIGHT = 640;
/** All of it is drawn in about so long. */
const DRAWN_MS = 2_200;

export function drawNest(canvas) {
  const density = Math.min(devicePixelRatio, 2);
  const context = canvas.getContext("2d");
  Object.assign(canvas, { width: WIDTH * density, height: HEIGHT * density });
  context.scale(density, density);
  const strokes = [...behind(), ...eggs(), ...before()];
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) strokes.forEach((stroke) => lay(context, stroke));
  else unfold(context, strokes);
  preparePen(canvas, context);
}

function unfold(context, strokes) {
  const start = performance.now();
  let next = 0;
  requestAnimationFrame(function step(now) {
    // Slower at first: the eggs deserve a look.
    const share = Math.min(Math.max((now - start) / DRAWN_MS, 0), 1) ** 1.5;
    while (next < Math.ceil(share * strokes.length)) lay(context, strokes[next++]);
    if (next < strokes.length) requestAnimationFrame(step);
  });
}

function lay(context, stroke) {
  context.globalCompositeOperation = "source-over";
  paint(context, stroke);
}

function eggs() {
  const eggs = [[402, 318, -0.3], [562, 316, 0.3], [481, 292, 0.03]];
  return eggs.flatMap(([x, y, tilt]) => [...shell(x, y, tilt), ...speckles(x, y, tilt)]);
}

/** An egg of meridians, dark side first, so that it is round; the ink of the pen tapers them at the poles. */
function shell(x, y, tilt) {
  const shades = ["rgb(106 174 171)", "rgb(122 192 187)", "rgb(139 205 199)", "rgb(153 214 208)", "rgb(166 222 216)", "rgb(188 232 227)"];
  return Array.from({ length: 15 }, (_, i) => {
    const across = 1 - (2 * i) / 14;
    const points = [];
    for (let t = -1; t <= 1.001; t += 0.1) {
      const round = Math.sqrt(Math.max(1 - t * t, 0));
      const wide = 58 * round * (1 + 0.16 * t);
      points.push(...turn(x, y, tilt, across * wide, t * 84), Math.round(60 + 195 * round));
    }
    return { points, size: 17, colour: shades[Math.min(Math.floor((i / 15) * shades.length * 1.15), shades.length - 1)] };
  });
}

function speckles(x, y, tilt) {
  return Array.from({ length: 15 }, (_, i) => {
    const [angle, far] = [i * 2.4 + x, 0.84 * Math.sqrt((i + 0.5) / 15)];
    const [px, py] = turn(x, y, tilt, 54 * far * Math.cos(angle), 72 * far * Math.sin(angle));
    return { points: [px, py, 255, px + 1.5 + noise(i), py + 1, 180], size: 3 + 5 * Math.abs(noise(i * 3 + x)), colour: "rgb(46 96 92)" };
  });
}

/** Twigs around the bowl: those behind the eggs first, then the near wall from its rim down. */
function behind() {
  return Array.from({ length: 46 }, (_, i) => twig(i + 200, {
    middle: -Math.PI / 2 + 1.2 * noise(i * 7.3), wide: 250 + 18 * noise(i * 1.7), high: 46 + 14 * noise(i * 2.9), base: 352 + 10 * noise(i * 5.1),
  }));
}

function before() {
  return Array.from({ length: 132 }, (_, i) => {
    const depth = i / 132;
    return twig(i, {
      middle: Math.PI / 2 + 1.3 * noise(i * 7.3), wide: 264 - 84 * depth ** 1.6 + 20 * noise(i * 1.7),
      high: 66 + 26 * depth + 14 * noise(i * 2.9), base: 352 + 66 * depth + 9 * noise(i * 5.1),
    });
  });
}

function twig(seed, { middle, wide, high, base }) {
  const browns = ["rgb(91 58 37)", "rgb(138 90 52)", "rgb(169 113 63)", "rgb(109 69 39)", "rgb(196 146 92)", "rgb(64 42 30)"];
  const reach = 0.3 + 0.5 * Math.abs(noise(seed * 3.1));
  const points = [];
  for (let t = -1; t <= 1.001; t += 0.125) {
    const angle = middle + t * reach;
    const stray = 9 * noise(seed * 1.3) * t * t;
    points.push(480 + (wide + stray) * Math.cos(angle), base + (high + stray) * Math.sin(angle) + 3 * noise(seed + t), Math.round(255 * (1 - 0.75 * Math.abs(t) ** 1.6)));
  }
  return { points, size: 5 + 7 * Math.abs(noise(seed * 11.7)), colour: browns[Math.floor(Math.abs(noise(seed * 13.1)) * browns.length * 0.999)] };
}

const turn = (x, y, tilt, dx, dy) => [
  x + dx * Math.cos(tilt) - dy * Math.sin(tilt), y + dx * Math.sin(tilt) + dy * Math.cos(tilt),
];

/** The same scatter at every visit, from -1 to 1. */
function noise(seed) {
  const value = Math.sin(seed * 127.1 + 311.7) * 43_758.5453;
  return 2 * (value - Math.floor(value)) - 1;
}

function preparePen(canvas, context) {
  let stroke = null;
  let shaper = null;
  const sample = (event) => {
    const { left, top, width } = canvas.getBoundingClientRect();
    const scale = WIDTH / width;
    return { x: (event.clientX - left) * scale, y: (event.clientY - top) * scale, pressure: event.pressure, time: event.timeStamp };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    canvas.setPointerCapture(event.pointerId);
    shaper = new Shaper({ steadyMs: 12, feels: event.pointerType === "pen" ? "pen" : "speed" });
    const { x, y, pressure } = shaper.start(sample(event));
    stroke = { points: [x, y, pressure], size: 9, colour: "rgb(43 69 196)" };
    lay(context, stroke);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!stroke) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) {
      const kept = shaper.move(sample(each));
      if (kept) stroke.points.push(kept.x, kept.y, kept.pressure);
    }
    lay(context, stroke);
  });
  for (const type of ["pointerup", "pointercancel"]) canvas.addEventListener(type, () => { stroke = null; });
}
