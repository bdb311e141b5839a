// When each record of a time-lapse is played: as it was drawn, with pauses cut short. Pure.

/** A pause in which nobody drew is played no longer than this. */
const PAUSE_MS_MAX = 800;
/** What was drawn in one batch unfolds over about so long, not at once. */
const BATCH_MS = 50;

/** `{ records, times, length }`: the times are milliseconds from the start. */
export function asScript(entries) {
  const times = [];
  let now = 0;
  let before = null;
  entries.forEach(({ time }, index) => {
    if (time !== null) {
      if (before !== null) now += Math.min(Math.max(time - before, 0), PAUSE_MS_MAX);
      before = time;
    }
    // Records of one frame have one time; each comes a little after the one before it, within the batch.
    const goesOn = index > 0 && time !== null && entries[index - 1].time === time;
    times.push(goesOn ? Math.max(times[index - 1], now) + stepIn(entries, index) : Math.max(now, times[index - 1] ?? 0));
  });
  return { records: entries.map(({ record }) => record), times, length: times.at(-1) ?? 0 };
}

function stepIn(entries, index) {
  let [first, last] = [index, index];
  while (first > 0 && entries[first - 1].time === entries[index].time) first--;
  while (last + 1 < entries.length && entries[last + 1].time === entries[index].time) last++;
  return BATCH_MS / (last - first + 1);
}
