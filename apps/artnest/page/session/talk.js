// What was said, in the room's order; what was said here and has no place yet stands at the end.

/** Older sayings are in the log of the room, not on the screen. */
const SAYINGS_MAX = 200;

export class Talk {
  /** `{ member, number, text, time, waits }`; the time is null where it is not known. */
  sayings = [];

  say(saying) {
    this.take(saying.member, saying.number);
    const waiting = this.sayings.findIndex(({ waits }) => waits);
    const at = saying.waits || waiting < 0 ? this.sayings.length : waiting;
    this.sayings.splice(at, 0, saying);
    if (this.sayings.length > SAYINGS_MAX) this.sayings.shift();
  }

  /** Takes a saying away: the server has refused it. */
  take(member, number) {
    this.sayings = this.sayings.filter((saying) => saying.member !== member || saying.number !== number);
  }

  clear() {
    this.sayings = [];
  }
}
