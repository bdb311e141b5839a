// When each record of a time-lapse is played: as it was drawn, with pauses cut short. Pure.

/** A pause in which nobody drew is played no longer than this. */
const PAUSE_MS_MAX = 800;
/** What was drawn in one batch unfolds over so long, not at once. */
const BATCH_MS = 50;

/**
 * Entries are `{ record, time }`, the time null where it is forgotten. The times are milliseconds from the start; what is
 * before `length` has been played at the end.
 */
export function asScript(entries) {
  const times = [];
  let now = 0;
  for (let first = 0, last; first < entries.length; first = last) {
    const { time } = entries[first];
    last = first + 1;
    while (last < entries.length && entries[last].time === time) last++;
    const before = entries[first - 1]?.time ?? null;
    if (time !== null && before !== null) now += Math.min(Math.max(time - before, 0), PAUSE_MS_MAX);
    const step = time === null ? 0 : BATCH_MS / (last - first);
    // A batch never begins before the one before it has ended.
    const start = Math.max(now, times.at(-1) ?? 0);
    for (let i = first; i < last; i++) times.push(start + step * (i - first));
  }
  return { records: entries.map(({ record }) => record), times, length: times.length === 0 ? 0 : times.at(-1) + 1 };
}
