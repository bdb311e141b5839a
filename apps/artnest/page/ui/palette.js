// The colours: pigments with names, so that each can be told to somebody, and one's own.

export const PIGMENTS = [
  ["Ink", "#1b1b1f"], ["Graphite", "#5c6066"], ["Pebble", "#a7adb2"], ["Chalk", "#f7f4ec"],
  ["Umber", "#5b3a25"], ["Sienna", "#a9572c"], ["Sand", "#d9b48a"], ["Peach", "#f3c9a8"],
  ["Carmine", "#b3123a"], ["Vermilion", "#e2432b"], ["Coral", "#ff7d66"], ["Rose", "#f49ab5"],
  ["Persimmon", "#f0781e"], ["Marigold", "#f6a51f"], ["Lemon", "#f9d949"], ["Straw", "#efe0a4"],
  ["Pine", "#14503c"], ["Moss", "#5d7a2e"], ["Leaf", "#3f9b45"], ["Mint", "#97d8a8"],
  ["Midnight", "#16235a"], ["Ultramarine", "#2b45c4"], ["Sky", "#5cb8e6"], ["Egg", "#9fd8d2"],
  ["Plum", "#7d2058"], ["Violet", "#6b3fa8"], ["Lilac", "#b99ae0"], ["Teal", "#12808a"],
];

export const nameOf = (hex) => PIGMENTS.find(([, colour]) => colour === hex)?.[0] ?? hex;

export const rgbOf = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
export const hexOf = (rgb) => `#${[...rgb].slice(0, 3).map((value) => value.toString(16).padStart(2, "0")).join("")}`;

/** A colour for a member, the same on every screen. */
const HUES = ["#c2413b", "#b0620f", "#7a7411", "#3f8a3c", "#0f8577", "#1f7fb3", "#4257c9", "#7b49b8", "#b03f95", "#c04169"];
export const colourOf = (member) => HUES[(member * 7) % HUES.length];

export const initialsOf = (name) => {
  const words = name.trim().split(/\s+/u);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => [...word][0] ?? "").join("").toUpperCase() || "?";
};
