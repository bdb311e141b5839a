// The codes of errors and refusals, as words; what to say about each to people is in `ui/words.js`.

export const CODES = {
  1: "version", 2: "malformed", 3: "forbidden", 4: "no_entry", 5: "banned", 6: "kicked", 7: "full", 8: "gap", 9: "replaced",
  10: "too_slow", 11: "going_away", 12: "room_deleted", 13: "internal",
  20: "stroke_gone", 21: "stroke_ended", 22: "stroke_too_long", 23: "layer_locked", 24: "out_of_bounds", 25: "nothing_to_do",
};
