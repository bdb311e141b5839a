// The icons: line drawings on a field of 24 × 24, drawn in the colour of the text around them.

const SVG = "http://www.w3.org/2000/svg";

/** Line drawings on a field of 24 × 24. */
const ICONS = {
  pen: "M4 20l1.2-4.6L16.6 4a2 2 0 0 1 2.8 0l.6.6a2 2 0 0 1 0 2.8L8.6 18.8ZM14.5 6l3.5 3.5M4 20l4.6-1.2",
  eraser: "M8.5 19.5 3.8 14.8a1.8 1.8 0 0 1 0-2.6l8.4-8.4a1.8 1.8 0 0 1 2.6 0l5.4 5.4a1.8 1.8 0 0 1 0 2.6l-7.7 7.7ZM7.8 8.2l8 8M8.5 19.5H20",
  hand: "M7.5 12.5V6.3a1.4 1.4 0 0 1 2.8 0v4.2V4.6a1.4 1.4 0 0 1 2.8 0v5.9V5.7a1.4 1.4 0 0 1 2.8 0v5.8-3.2a1.4 1.4 0 0 1 2.8 0v6.2c0 3.6-2.4 6-6 6-2.7 0-4.2-1-5.5-3.1l-3-4.9c-.8-1.3 1-2.6 2-1.5Z",
  picker: "M13 7l4 4M14.8 5.2l1.4-1.4a2.1 2.1 0 0 1 3 0l1 1a2.1 2.1 0 0 1 0 3l-1.4 1.4a1 1 0 0 1-1.4 0l-2.6-2.6a1 1 0 0 1 0-1.4ZM14 8 5.5 16.5 4.5 19.5 7.5 18.5 16 10",
  undo: "M8.5 5 4 9.5 8.5 14M4 9.5h9.5a5.5 5.5 0 0 1 0 11H9",
  redo: "M15.5 5 20 9.5 15.5 14M20 9.5h-9.5a5.5 5.5 0 0 0 0 11H15",
  layers: "M12 4 3.5 8.5 12 13l8.5-4.5ZM4 12.5l8 4.3 8-4.3M4 16.5l8 4.3 8-4.3",
  eye: "M2.5 12s3.5-6.5 9.5-6.5 9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12ZM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z",
  closed: "M3 10.5c1.8 2.5 4.9 4.5 9 4.5s7.2-2 9-4.5M5.5 13l-1.5 2.5M18.5 13l1.5 2.5M12 15v3M8.6 14.5l-.9 2.9M15.4 14.5l.9 2.9",
  lock: "M6.5 11h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1ZM8 11V8a4 4 0 0 1 8 0v3",
  unlock: "M6.5 11h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1ZM8 11V7a4 4 0 0 1 7.7-1.5",
  home: "M4 11 12 4l8 7M6 9.5V19a1 1 0 0 0 1 1h10a1 1 0 0 0 1-1V9.5",
  back: "M10.5 5.5 4 12l6.5 6.5M4 12h16",
  chat: "M5 5h14a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 19 17h-7l-4.5 3.5V17H5a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 5 5Z",
  link: "M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7L11.6 6.7M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 5.7l1.5-1.5",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  plus: "M12 5.5v13M5.5 12h13",
  minus: "M5.5 12h13",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17.5 19.5 7",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2.5V5M12 19v2.5M2.5 12H5M19 12h2.5M5.3 5.3 7 7M17 17l1.7 1.7M18.7 5.3 17 7M7 17l-1.7 1.7",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10Z",
  auto: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 4v16M12 8h3.9M12 12h4M12 16h3.9",
  picture: "M5 4.5h14A1.5 1.5 0 0 1 20.5 6v12a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 18V6A1.5 1.5 0 0 1 5 4.5ZM4 16.5l5-5 4.5 4.5 2.5-2.5 4 4M15.5 9h.01",
  curve: "M4 18c3 0 4-12 8-12s3 12 8 12M3 18h2M19 18h2M11 6h2",
  film: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM12 7v5l3.5 2.5",
  keys: "M4 6.5h16A1.5 1.5 0 0 1 21.5 8v8a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 16V8A1.5 1.5 0 0 1 4 6.5ZM6.5 10.5h.01M10 10.5h.01M13.5 10.5h.01M17 10.5h.01M8.5 14h7",
  settings: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4M4 12h14M20 12h.01",
  broom: "M14 4 20 10M12.5 8.5l3 3M11 9.5 4.5 13c.5 4 2.5 6.5 6.5 7l3.5-6.5ZM8 17l1.5-1.5",
  bin: "M4.5 7h15M9.5 7V4.5h5V7M6.5 7l1 12.5h9l1-12.5M10 10.5v6M14 10.5v6",
  copy: "M9 8.5h9.5a1 1 0 0 1 1 1V19a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V9.5a1 1 0 0 1 1-1ZM15.5 8.5V5a1 1 0 0 0-1-1H5a1 1 0 0 0-1 1v9.5a1 1 0 0 0 1 1h3",
  renew: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9M19.5 4v5h-5",
  send: "M4 12 20 4.5 14.5 20 11.5 13.5ZM11.5 13.5 20 4.5",
  play: "M7.5 5v14l11-7Z",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  people: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM2.5 20a6.5 6.5 0 0 1 13 0M16 5a3.5 3.5 0 0 1 0 6.3M18 14.5a6.5 6.5 0 0 1 3.5 5.5",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Exchanges the icon of a button. */
export function setIcon(button, name) {
  button.querySelector(".icon")?.remove();
  button.prepend(icon(name));
}
