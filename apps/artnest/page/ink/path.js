// Ink as a canvas takes it: samples become one path whose parts all wind the same way, so that the nonzero rule fills
// their union once, without seams and with the stroke's alpha applied once.

import { isEven, middle, radius, samples } from "./geometry.js";

const FULL = 2 * Math.PI;
/** What may be missing of a disc, in units of the sheet: half of what the flattening of curves may miss. */
const FLAT = 1 / 32;

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

/**
 * The hulls along a run of discs, as one outline: forth on the right of the discs, back on their left. Where two hulls
 * meet, the outline goes straight on the outer side and by the joint's middle on the inner side, so that it winds
 * around every hull the same way. A cap at both ends, and a disc where the straight way would miss what can be seen.
 */
function traceDiscs(context, discs) {
  traceDisc(context, discs, 0);
  if (discs.length === 3) return;
  let outline = null;
  for (let i = 0; i + 5 < discs.length; i += 3) {
    const hull = hullOf(discs, i);
    if (outline && hull) joinHull(context, outline, hull, discs, i);
    else if (outline) closeOutline(context, outline, discs, i);
    else if (hull) outline = openOutline(context, hull, discs, i);
    if (!hull) {
      outline = null;
      traceDisc(context, discs, discs[i + 2] >= discs[i + 5] ? i : i + 3);
    }
  }
  const last = discs.length - 3;
  if (outline) closeOutline(context, outline, discs, last);
}

/**
 * The two tangents of the discs at `i` and after it touch them in the directions [left x, left y, right x, right y]; null
 * where one disc holds the other.
 */
function hullOf(discs, i) {
  const dx = discs[i + 3] - discs[i], dy = discs[i + 4] - discs[i + 1];
  const taper = discs[i + 2] - discs[i + 5];
  const length = Math.sqrt(dx * dx + dy * dy);
  if (length <= Math.abs(taper)) return null;
  const ux = dx / length, uy = dy / length;
  const sine = taper / length;
  const cosine = Math.sqrt(1 - sine * sine);
  return [sine * ux - cosine * uy, sine * uy + cosine * ux, sine * ux + cosine * uy, sine * uy - cosine * ux];
}

function openOutline(context, hull, discs, i) {
  // What came before ended in a disc that may be another one.
  if (i > 0) traceDisc(context, discs, i);
  const outline = { hull, back: [], sharp: [] };
  context.moveTo(discs[i] + discs[i + 2] * hull[2], discs[i + 1] + discs[i + 2] * hull[3]);
  outline.back.push(discs[i] + discs[i + 2] * hull[0], discs[i + 1] + discs[i + 2] * hull[1]);
  goAlong(context, outline, discs, i);
  return outline;
}

/** Goes around the joint at `i` and on along the next hull. */
function joinHull(context, outline, hull, discs, i) {
  const [leftX, leftY, rightX, rightY] = outline.hull;
  const [lx, ly, rx, ry] = hull;
  const x = discs[i], y = discs[i + 1], r = discs[i + 2];
  if (rightX * ry - rightY * rx < 0) context.lineTo(x, y);
  context.lineTo(x + r * rx, y + r * ry);
  if (lx * leftY - ly * leftX < 0) outline.back.push(x, y);
  outline.back.push(x + r * lx, y + r * ly);
  const cosine = Math.min(leftX * lx + leftY * ly, rightX * rx + rightY * ry);
  if (r * (1 - Math.sqrt(Math.max((1 + cosine) / 2, 0))) > FLAT) outline.sharp.push(i);
  outline.hull = hull;
  goAlong(context, outline, discs, i);
}

function goAlong(context, { hull, back }, discs, i) {
  const x = discs[i + 3], y = discs[i + 4], r = discs[i + 5];
  context.lineTo(x + r * hull[2], y + r * hull[3]);
  back.push(x + r * hull[0], y + r * hull[1]);
}

/** Goes back to where the outline began; a cap at its end, and the discs of its sharp joints. */
function closeOutline(context, { back, sharp }, discs, end) {
  for (let at = back.length - 2; at >= 0; at -= 2) context.lineTo(back[at], back[at + 1]);
  context.closePath();
  for (const i of sharp) traceDisc(context, discs, i);
  traceDisc(context, discs, end);
}

function traceDisc(context, discs, i) {
  context.moveTo(discs[i] + discs[i + 2], discs[i + 1]);
  context.arc(discs[i], discs[i + 1], discs[i + 2], 0, FULL);
  context.closePath();
}
