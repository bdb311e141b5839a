// Ink as a canvas takes it: samples become one path whose parts all wind the same way, so that the nonzero rule fills
// their union once, without seams and with the stroke's alpha applied once.

import { isEven, middle, radius, samples } from "./geometry.js";

const FULL = 2 * Math.PI;

/** Paints a whole stroke into a context whose transform maps document units. The caller sets the operator. */
export function paint(context, { points, size, colour }) {
  if (points.length === 0) return;
  if (points.length > 3 && isEven(points)) {
    prepareLine(context, radius(size, points[2]), colour);
    context.beginPath();
    traceLine(context, points);
    context.stroke();
    return;
  }
  context.fillStyle = colour;
  context.beginPath();
  traceDiscs(context, samples(points, size));
  context.fill("nonzero");
}

/** Paints the hulls of a run of samples, as a part of a stroke that still grows. */
export function paintDiscs(context, discs, colour) {
  context.fillStyle = colour;
  context.beginPath();
  traceDiscs(context, discs);
  context.fill("nonzero");
}

function prepareLine(context, r, colour) {
  context.lineWidth = 2 * r;
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = colour;
}

/** The middle line of a stroke: straight to the first middle, bent from middle to middle, straight to the end. */
function traceLine(context, points) {
  const count = points.length / 3;
  context.moveTo(points[0], points[1]);
  for (let i = 1; i + 1 < count; i++) {
    if (i === 1) context.lineTo(...middle(points, 1, 0).slice(0, 2));
    const [x, y] = middle(points, i + 1, 0);
    context.quadraticCurveTo(points[3 * i], points[3 * i + 1], x, y);
  }
  context.lineTo(points[3 * count - 3], points[3 * count - 2]);
}

function traceDiscs(context, discs) {
  if (discs.length === 3) return traceDisc(context, discs, 0);
  for (let i = 0; i + 5 < discs.length; i += 3) traceHull(context, discs, i);
}

function traceDisc(context, discs, i) {
  context.moveTo(discs[i] + discs[i + 2], discs[i + 1]);
  context.arc(discs[i], discs[i + 1], discs[i + 2], 0, FULL);
  context.closePath();
}

/** The convex hull of the disc at `i` and the next: an arc behind, a tangent, an arc ahead, a tangent. */
function traceHull(context, discs, i) {
  const ax = discs[i], ay = discs[i + 1], ar = discs[i + 2];
  const bx = discs[i + 3], by = discs[i + 4], br = discs[i + 5];
  const length = Math.hypot(bx - ax, by - ay);
  if (length <= Math.abs(ar - br)) return traceDisc(context, discs, ar >= br ? i : i + 3);
  const ahead = Math.atan2(by - ay, bx - ax);
  const half = Math.acos((ar - br) / length);
  context.moveTo(ax + ar * Math.cos(ahead + half), ay + ar * Math.sin(ahead + half));
  context.arc(ax, ay, ar, ahead + half, ahead - half + FULL);
  context.arc(bx, by, br, ahead - half, ahead + half);
  context.closePath();
}
