// Light, dark, or as the system has it: an attribute of the document, kept in the browser.

import { setIcon } from "./icons.js";

const STORED = "artnest-theme";
const THEMES = ["auto", "light", "dark"];
const LOOKS = {
  auto: { icon: "auto", label: "Colours: as the system" },
  light: { icon: "sun", label: "Colours: light" },
  dark: { icon: "moon", label: "Colours: dark" },
};

export function prepareTheme() {
  apply(stored());
}

export const theme = () => LOOKS[stored()];

/** Goes to the next theme and returns how it looks. */
export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(stored()) + 1) % THEMES.length];
  localStorage.setItem(STORED, next);
  apply(next);
  return LOOKS[next];
}

/** Makes a button that goes through the themes. */
export function prepareToggle(button) {
  const show = ({ icon, label }) => {
    setIcon(button, icon);
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  show(theme());
  button.addEventListener("click", () => show(nextTheme()));
}

function stored() {
  const name = localStorage.getItem(STORED);
  return THEMES.includes(name) ? name : "auto";
}

function apply(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}
