// Who is in the room and where they point.

import { CURSOR } from "../wire/frames.js";

export class Crowd {
  /** Everybody who is or was here, by member: `{ member, name, role, here }`. */
  people = new Map();
  /** Where others point, by member: `{ x, y, state }`. */
  pointers = new Map();

  get here() {
    return [...this.people.values()].filter((person) => person.here);
  }

  nameOf(member) {
    return this.people.get(member)?.name ?? null;
  }

  /** Takes a Roster frame. */
  meet({ replaces, members }) {
    if (replaces) this.people.clear();
    for (const person of members) {
      this.people.set(person.member, person);
      if (!person.here) this.pointers.delete(person.member);
    }
  }

  /** Takes a Cursors frame; one's own pointer is where it is. */
  point({ replaces, cursors }, self) {
    if (replaces) this.pointers.clear();
    for (const { member, at: [x, y], state } of cursors) {
      if (state === CURSOR.away) this.pointers.delete(member);
      else if (member !== self) this.pointers.set(member, { x, y, state });
    }
  }
}
