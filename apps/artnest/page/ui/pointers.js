// Where the others point: an arrow and a name for each, moved in every frame towards where they were last.

import { toScreen } from "../render/view.js";
import { CURSOR } from "../wire/frames.js";
import { h } from "./dom.js";
import { colourOf } from "./palette.js";

/** The share of the way that an arrow goes in a frame. */
const GLIDE = 0.35;
const SVG = "http://www.w3.org/2000/svg";

export class Pointers {
  #host;
  #session;
  #renderer;
  #arrows = new Map();
  #frame = null;

  constructor(host, session, renderer) {
    this.#host = host;
    this.#session = session;
    this.#renderer = renderer;
    session.news.on("cursors", () => this.update());
    session.news.on("roster", () => this.update());
  }

  /** The view or a pointer moved. */
  update() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#paint();
    });
  }

  #paint() {
    const { pointers, people } = this.#session.crowd;
    for (const [member, arrow] of this.#arrows) {
      if (pointers.has(member)) continue;
      arrow.element.remove();
      this.#arrows.delete(member);
    }
    let glides = false;
    for (const [member, { x, y, state }] of pointers) {
      const arrow = this.#arrows.get(member) ?? this.#add(member, x, y);
      const name = people.get(member)?.name ?? "";
      if (arrow.label.textContent !== name) arrow.label.textContent = name;
      arrow.element.classList.toggle("draws", state === CURSOR.drawing);
      arrow.x += (x - arrow.x) * GLIDE;
      arrow.y += (y - arrow.y) * GLIDE;
      const [left, top] = toScreen(this.#renderer.view, arrow.x, arrow.y);
      const css = 1 / this.#renderer.density;
      arrow.element.style.transform = `translate(${left * css}px, ${top * css}px)`;
      if (Math.hypot(x - arrow.x, y - arrow.y) * this.#renderer.view.scale > 0.5) glides = true;
    }
    if (glides) this.update();
  }

  #add(member, x, y) {
    const label = h("span");
    const element = h("div", { class: "pointer" }, arrowhead(), label);
    element.style.setProperty("--hue", colourOf(member));
    this.#host.append(element);
    const arrow = { element, label, x, y };
    this.#arrows.set(member, arrow);
    return arrow;
  }
}

function arrowhead() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 18 20");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M1.5 1.5 15.5 8.5 8.8 10.5 5.5 17Z");
  svg.append(path);
  return svg;
}
