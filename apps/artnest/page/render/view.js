// Which part of the sheet the screen shows, and how large: a scale and an offset in device pixels. Pure values; every
// change makes a new one. Offsets are whole pixels, so that panning never blurs and two equal views paint equal pixels.

export const ZOOM_MIN = 0.05;
export const ZOOM_MAX = 32;
const MARGIN = 0.06;

/** `scale` is device pixels per document unit; (x, y) is where the sheet's corner is on the screen. */
export const view = (scale, x, y) => ({ scale, x: Math.round(x), y: Math.round(y) });

export const toSheet = ({ scale, x, y }, px, py) => [(px - x) / scale, (py - y) / scale];
export const toScreen = ({ scale, x, y }, ux, uy) => [ux * scale + x, uy * scale + y];

/** The whole sheet, centred, with some desk around it; `free` is the part of the screen that no panel covers. */
export function fit(sheet, free) {
  const [left, top, right, bottom] = free;
  const width = Math.max(right - left, 1);
  const height = Math.max(bottom - top, 1);
  const margin = MARGIN * Math.min(width, height);
  const scale = Math.max(Math.min((width - margin) / sheet.width, (height - margin) / sheet.height), 0.01);
  return view(scale, left + (width - sheet.width * scale) / 2, top + (height - sheet.height * scale) / 2);
}

export const pan = (from, dx, dy) => view(from.scale, from.x + dx, from.y + dy);

/** Zooms so that the point under (px, py) stays there. `density` is the device's pixel ratio: zoom is said in CSS pixels. */
export function zoomAt(from, factor, px, py, density) {
  const scale = Math.min(Math.max(from.scale * factor, ZOOM_MIN * density), ZOOM_MAX * density);
  const by = scale / from.scale;
  return view(scale, px - (px - from.x) * by, py - (py - from.y) * by);
}

/** Keeps a corner of the sheet in reach: at least `inset` pixels of it stay on the screen. */
export function keepInReach(from, sheet, width, height, inset) {
  const x = Math.min(Math.max(from.x, inset - sheet.width * from.scale), width - inset);
  const y = Math.min(Math.max(from.y, inset - sheet.height * from.scale), height - inset);
  return view(from.scale, x, y);
}

export const same = (a, b) => a.scale === b.scale && a.x === b.x && a.y === b.y;

/** The part of the sheet that a screen of this size shows, as a box in document units. */
export const visible = (from, width, height) => [...toSheet(from, 0, 0), ...toSheet(from, width, height)];

/** A box of the sheet as whole device pixels, grown by the pixel that smoothing may touch. */
export function pixels(from, [left, top, right, bottom], width, height) {
  const [x0, y0] = toScreen(from, left, top);
  const [x1, y1] = toScreen(from, right, bottom);
  return [
    Math.max(Math.floor(x0) - 1, 0), Math.max(Math.floor(y0) - 1, 0),
    Math.min(Math.ceil(x1) + 1, width), Math.min(Math.ceil(y1) + 1, height),
  ];
}
