// A harbour at dusk, some six hundred strokes, as a patient hand would draw it: what the screenshots show. It is drawn
// through a window's own session, so it goes over the wire like any drawing.

/** Draws it in a window that is live in an empty room, and waits until all of it is decided. */
export async function drawHarbour(page) {
  await page.evaluate(async (script) => {
    const { session } = window.artnest;
    let count = 0;
    for (const { layer, rgba, size, points } of script) {
      session.pencil.start({ layer, eraser: false, rgba, size }, ...points[0]);
      for (const point of points.slice(1)) session.pencil.move(...point);
      session.pencil.end();
      if (++count % 40 === 0) await new Promise((resume) => setTimeout(resume, 60));
    }
  }, harbour(2_400, 1_600));
  await page.waitForFunction(() => window.artnest.session.outbox.items.length === 0 && window.artnest.renderer.isComplete);
}

/** The strokes, the same each time. */
export function harbour(width, height) {
  const strokes = [];
  const lay = (layer, colour, size, points, alpha = 255) => strokes.push({ layer, rgba: [...colour, alpha], size, points });
  const horizon = height * 0.56;
  sky(lay, width, horizon);
  sea(lay, width, height, horizon);
  hills(lay, width, horizon);
  boat(lay, width * 0.3, height * 0.66, 1.25, [91, 58, 37], [226, 67, 43]);
  boat(lay, width * 0.82, height * 0.6, 0.62, [58, 42, 74], [247, 244, 236]);
  boat(lay, width * 0.53, height * 0.585, 0.38, [47, 39, 69], [246, 165, 31]);
  for (const [x, y, size] of [[700, 300, 1], [820, 250, 0.7], [940, 330, 0.8], [1_500, 200, 0.9], [1_610, 250, 0.6]]) gull(lay, x, y, size);
  quay(lay, width, height);
  return strokes;
}

let state = 11;
function random(from = 0, to = 1) {
  state = (state * 48_271) % 2_147_483_647;
  return from + ((to - from) * state) / 2_147_483_647;
}

const mix = (one, other, share) => one.map((value, i) => Math.round(value * (1 - share) + other[i] * share));

/** A colour of a gradient. */
function shade(colours, share) {
  const at = Math.min(Math.max(share, 0), 0.999) * (colours.length - 1);
  return mix(colours[Math.floor(at)], colours[Math.floor(at) + 1], at % 1);
}

function line(x0, y0, x1, y1, steps, wobble, pressure = (t) => 255 * (1 - 0.6 * (2 * t - 1) ** 2)) {
  return Array.from({ length: steps + 1 }, (_, i) => {
    const t = i / steps;
    return [x0 + (x1 - x0) * t + random(-wobble, wobble), y0 + (y1 - y0) * t + random(-wobble, wobble), pressure(t)];
  });
}

function sky(lay, width, horizon) {
  const colours = [[42, 53, 102], [90, 74, 134], [160, 88, 127], [226, 119, 95], [246, 168, 90], [251, 212, 138]];
  for (let y = 0; y < horizon + 20; y += 26) lay(0, shade(colours, y / horizon), 60, line(-60, y, width + 60, y + random(-8, 8), 12, 3, () => 255));
  for (let i = 0; i < 150; i++) {
    const y = random(0, horizon);
    const x = random(-200, width);
    lay(0, shade(colours, y / horizon + random(-0.06, 0.06)), random(30, 80), line(x, y, x + random(400, 1_200), y + random(-16, 16), 10, 4), 190);
  }
  lay(0, [255, 240, 196], 150, [[width * 0.66, horizon - 70, 255]]);
}

function sea(lay, width, height, horizon) {
  const colours = [[243, 176, 112], [201, 117, 122], [109, 90, 140], [51, 64, 122], [31, 44, 92]];
  const deep = (y) => ((y - horizon) / (height - horizon)) ** 0.8;
  for (let y = horizon; y < height + 20; y += 22) lay(0, shade(colours, deep(y)), 50, line(-60, y, width + 60, y + random(-4, 4), 14, 3, () => 255));
  for (let i = 0; i < 190; i++) {
    const y = horizon + 8 + random() ** 0.8 * (height - horizon);
    const [x, wide] = [random(-200, width), random(240, 760) * (0.6 + deep(y))];
    const wave = Array.from({ length: 13 }, (_, k) => [x + (wide * k) / 12, y + 5 * Math.sin(k * 1.1 + i), 90 + 165 * Math.sin((Math.PI * k) / 12)]);
    lay(0, shade(colours, deep(y) + random(-0.14, 0.14)), 10 + 40 * deep(y), wave, 225);
  }
  for (let i = 0; i < 64; i++) {
    const y = horizon + 14 + random(0, 420);
    const wide = 40 + 190 * (1 - (y - horizon) / 434) * random(0.4, 1);
    const x = width * 0.66 + random(-30, 30);
    lay(0, random() < 0.5 ? [255, 230, 166] : [255, 208, 126], 5 + (8 * (y - horizon)) / 434, line(x - wide / 2, y, x + wide / 2, y, 6, 1.5), 200);
  }
}

function hills(lay, width, horizon) {
  const ridge = (y, high, phase) => Array.from({ length: Math.ceil(width / 40) + 3 }, (_, i) => {
    const x = (i - 1) * 40;
    return [x, y - high * (0.5 + 0.5 * Math.sin(x / 310 + phase) * Math.sin(x / 133 + phase * 2)), 255];
  });
  for (let i = 0; i < 5; i++) lay(1, mix([106, 79, 134], [75, 63, 120], i / 5), 44, ridge(horizon - 40 + i * 12, 90 - i * 10, 1));
  for (let i = 0; i < 3; i++) lay(1, [59, 54, 104], 36, ridge(horizon - 8 + i * 6, 34, 3.4));
}

function boat(lay, x, y, size, hull, sail) {
  for (let i = 0; i < 7; i++) {
    const plank = Array.from({ length: 9 }, (_, k) => {
      const t = k / 8;
      return [x + (-120 + 240 * t) * size * (1 - i * 0.035), y + (i * 7 + 26 * (1 - (2 * t - 1) ** 2)) * size, 255];
    });
    lay(1, mix(hull, [18, 15, 36], i / 9), 13 * size, plank);
  }
  lay(1, [42, 27, 31], 9 * size, line(x - 8 * size, y + 10 * size, x + 2 * size, y - 300 * size, 8, 1, () => 220));
  for (let t = 0; t <= 1.001; t += 1 / 18) {
    const main = [[14, 20 + 250 * t, 255], [60 - 10 * t, 14 + 240 * t, 255], [14 + 150 * (1 - t), 26 + 226 * t, 200]];
    lay(1, mix(sail, [255, 246, 228], random(0, 0.35)), 24 * size, main.map(([dx, dy, pressure]) => [x + dx * size, y - dy * size, pressure]));
  }
  for (let t = 0; t <= 1.001; t += 1 / 14) {
    const jib = [[-18, 30 + 210 * t, 240], [-18 - 84 * (1 - t), 24 + 190 * t, 200]];
    lay(1, mix(sail, [122, 42, 58], random(0.25, 0.45)), 19 * size, jib.map(([dx, dy, pressure]) => [x + dx * size, y - dy * size, pressure]));
  }
  for (let i = 0; i < 9; i++) {
    const [wide, down] = [(150 - 12 * i) * size, y + (62 + i * 15) * size];
    const ripple = line(x - wide / 2 + random(-16, 16), down, x + wide / 2 + random(-16, 16), down, 6, 2);
    lay(1, mix(sail, [51, 64, 122], 0.35 + i / 18), 7 * size, ripple, 190);
  }
}

function gull(lay, x, y, size) {
  const wings = [[-60, -16, 40], [-26, -30, 180], [0, 0, 255], [26, -32, 180], [62, -14, 40]];
  lay(2, [247, 244, 236], 11 * size, wings.map(([dx, dy, pressure]) => [x + dx * size, y + dy * size, pressure]));
}

function quay(lay, width, height) {
  const stone = (i) => mix([43, 32, 56], [21, 15, 32], i / 9);
  for (let i = 0; i < 9; i++) {
    lay(2, stone(i), 34, line(-40, height * 0.93 + i * 18, width * 0.42 - i * 16, height * 0.965 + i * 14, 14, 3, () => 255));
  }
  lay(2, stone(9), 20, line(300, height * 0.95, 306, height * 0.6, 10, 1, (t) => 255 - 90 * t));
  lay(2, stone(9), 12, [[306, 0.6, 200], [320, 0.575, 220], [350, 0.57, 220], [372, 0.59, 200]].map(([x, y, pressure]) => [x, y * height, pressure]));
  lay(2, [255, 217, 138], 150, [[374, height * 0.625, 255]], 70);
  lay(2, [255, 233, 184], 46, [[374, height * 0.622, 255]]);
}
