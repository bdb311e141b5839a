// From the points of a stroke to its ink: the one formula that the page, the exports and the thumbnails share. It is
// written down in PROTOCOL.md, "From points to ink". Pure arithmetic on document units: read `path.js` for how samples
// become something a canvas can fill.

/** The share of the full width that a pen without any pressure still has. */
const WIDTH_MIN = 0.15;
/** No curve between two points is cut finer than this. */
const STEPS_MAX = 16;

/** The radius of a brush `size` units wide at a pressure byte. */
export const radius = (size, pressure) => (size / 2) * (WIDTH_MIN + (1 - WIDTH_MIN) * (pressure / 255));

/**
 * The discs along a stroke, as a flat list x, y, r, x, y, r, …: the ink is the union of the hulls of each two that
 * follow each other. `points` is a flat list x, y, pressure. A curve bends from the middle of one line to the middle of the
 * next, so a new point changes nothing but the last line.
 */
export function samples(points, size) {
  const discs = [];
  const count = points.length / 3;
  if (count === 0) return discs;
  discs.push(points[0], points[1], radius(size, points[2]));
  for (let i = 1; i + 1 < count; i++) bend(discs, points, i, size);
  if (count > 1) discs.push(...disc(points, count - 1, size));
  return discs;
}

/** The discs of the curve around the inner point `i`: from the middle before it to the middle after it, both included. */
export function bend(discs, points, i, size) {
  const [x0, y0, r0] = middle(points, i, size);
  const [x2, y2, r2] = middle(points, i + 1, size);
  const x1 = points[3 * i];
  const y1 = points[3 * i + 1];
  const sharpness = Math.hypot(x0 - 2 * x1 + x2, y0 - 2 * y1 + y2);
  const steps = Math.min(Math.max(Math.ceil(2 * Math.sqrt(sharpness)), 1), STEPS_MAX);
  // The first bend starts the curve; later ones go on where the one before them ended.
  if (i === 1) discs.push(x0, y0, r0);
  for (let step = 1; step <= steps; step++) {
    const t = step / steps;
    const s = 1 - t;
    discs.push(
      s * s * x0 + 2 * s * t * x1 + t * t * x2,
      s * s * y0 + 2 * s * t * y1 + t * t * y2,
      s * r0 + t * r2,
    );
  }
}

/** The middle of the line that ends at point `i`, with its radius. */
export function middle(points, i, size) {
  const at = 3 * i;
  return [
    (points[at - 3] + points[at]) / 2,
    (points[at - 2] + points[at + 1]) / 2,
    (radius(size, points[at - 1]) + radius(size, points[at + 2])) / 2,
  ];
}

export const disc = (points, i, size) => [points[3 * i], points[3 * i + 1], radius(size, points[3 * i + 2])];

/** Whether all points have the same pressure: then the ink is a line of one width with round caps and joins. */
export function isEven(points) {
  for (let i = 5; i < points.length; i += 3) if (points[i] !== points[2]) return false;
  return true;
}

/** The box [left, top, right, bottom] of the ink of the points from index `from` on. */
export function bounds(points, size, from = 0) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 3 * from; i < points.length; i += 3) {
    const r = radius(size, points[i + 2]);
    left = Math.min(left, points[i] - r);
    top = Math.min(top, points[i + 1] - r);
    right = Math.max(right, points[i] + r);
    bottom = Math.max(bottom, points[i + 1] + r);
  }
  return [left, top, right, bottom];
}

export const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

export const union = (a, b) =>
  [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
