// Small words for making elements and for saying when. Text only ever becomes text nodes: nothing that came
// from a client can become markup of this page.

/** Makes an element: `h("a", { href, class: "x", onclick }, "text", child, null)`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockSeconds = new Intl.DateTimeFormat([], {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});
const day = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "medium" });
const count = new Intl.NumberFormat("en-GB", { useGrouping: true });

export const grouped = (number) => count.format(number).replaceAll(",", "\u202f");
export const timeOf = (at) => h("time", { datetime: at, title: full.format(new Date(at)) }, clock.format(new Date(at)));
export const preciseTimeOf = (at) => h("time", { datetime: at, title: full.format(new Date(at)) }, clockSeconds.format(new Date(at)));
export const fullTime = (at) => full.format(new Date(at));

/** "Today", "Yesterday", or the day itself. */
export function dayOf(at) {
  const date = new Date(at);
  const daysAgo = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  if (daysAgo === 0) return "Today";
  if (daysAgo === 1) return "Yesterday";
  return day.format(date);
}
