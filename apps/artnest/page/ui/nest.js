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
  const eggs = [[372, 318, -0.34], [590, 316, 0.32], [481, 282, 0.03]];
  return eggs.flatMap(([x, y, tilt]) => [...shell(x, y, tilt), ...speckles(x, y, tilt)]);
}

/** An egg of meridians, the dark side first, so that it is round; the ink tapers at the poles. */
function shell(x, y, tilt) {
  const shades = [[98, 166, 164], [112, 184, 180], [130, 200, 194], [148, 212, 206], [162, 220, 214], [190, 233, 228]];
  return Array.from({ length: 19 }, (_, i) => {
    const across = 1 - (2 * i) / 18;
    const points = [];
    for (let t = -1; t <= 1.001; t += 0.1) {
      const round = Math.sqrt(Math.max(1 - t * t, 0));
      points.push(...turn(x, y, tilt, across * 72 * round * (1 + 0.16 * t), t * 106), Math.round(60 + 195 * round));
    }
    return stroke(points, 18, shades[Math.min(Math.floor(i / 2.9), shades.length - 1)]);
  });
}

function speckles(x, y, tilt) {
  return Array.from({ length: 18 }, (_, i) => {
    const [angle, far] = [i * 2.4 + x + noise(i + x), 0.86 * Math.sqrt((i + 0.5 + 0.9 * noise(i * 5 + x)) / 19)];
    const [px, py] = turn(x, y, tilt, 68 * far * Math.cos(angle), 92 * far * Math.sin(angle));
    return stroke([px, py, 255, px + 1.5 + noise(i), py + 1, 180], 3.5 + 6 * Math.abs(noise(i * 3 + x)), [46, 96, 92]);
  });
}

const DARK = [[64, 42, 30], [91, 58, 37], [78, 50, 33]];
const LIGHT = [[91, 58, 37], [138, 90, 52], [169, 113, 63], [109, 69, 39], [196, 146, 92]];

/** The far wall and the lining, dark at the bottom of the bowl. */
function behind() {
  return Array.from({ length: 120 }, (_, i) => {
    const depth = i / 120;
    return twig(i + 300, {
      middle: -Math.PI / 2 + 1.3 * noise(i * 7.3), wide: 318 - 60 * (1 - depth) + 14 * noise(i * 1.7),
      high: 8 + 60 * depth + 8 * noise(i * 2.9), base: 420 - 40 * depth + 8 * noise(i * 5.1),
    }, depth < 0.72 ? DARK : LIGHT);
  });
}

/** The near wall, from its rim down. */
function before() {
  return Array.from({ length: 190 }, (_, i) => {
    const depth = i / 190;
    return twig(i, {
      middle: Math.PI / 2 + 1.35 * noise(i * 7.3), wide: 336 - 128 * depth ** 1.7 + 20 * noise(i * 1.7),
      high: 40 + 22 * depth + 12 * noise(i * 2.9), base: 384 + 108 * depth + 9 * noise(i * 5.1),
    }, noise(i * 9.7) > 0.62 ? DARK : LIGHT);
  });
}

function twig(seed, { middle, wide, high, base }, browns) {
  const reach = 0.28 + 0.5 * Math.abs(noise(seed * 3.1));
  const points = [];
  for (let t = -1; t <= 1.001; t += 0.125) {
    const angle = middle + t * reach;
    const stray = 11 * noise(seed * 1.3) * t * t;
    const pressure = Math.round(255 * (1 - 0.75 * Math.abs(t) ** 1.6));
    points.push(480 + (wide + stray) * Math.cos(angle), base + (high + stray) * Math.sin(angle) + 3 * noise(seed + t), pressure);
  }
  const brown = browns[Math.floor(Math.abs(noise(seed * 13.1)) * browns.length * 0.999)];
  return stroke(points, 5 + 8 * Math.abs(noise(seed * 11.7)), brown);
}

const stroke = (points, size, [red, green, blue]) => ({ points, size, colour: `rgb(${red} ${green} ${blue})` });

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
    const [x, y] = [(event.clientX - left) * scale, (event.clientY - top) * scale];
    return { x, y, pressure: event.pressure, time: event.timeStamp };
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
