// This tab's copy of a room: what the server has said, with what was done here ahead of it on top. Operations done here
// show at once as drafts; the log confirms each at the place that it got, or the server refuses it and it is taken back.
// `outbox.js` keeps drafts until they are decided; this module knows what they mean.

import { Drawing } from "./drawing.js";

const idOf = (member, number) => `${member}.${number}`;

export class Replica {
  /** Own operations that are not confirmed, `{ op, shows }` by number. */
  #drafts = new Map();
  /** The strokes that each member has hidden, as far as the log says; their next Begin forgets them. */
  #hidden = new Map();
  /** Own strokes in the order in which they were drawn. */
  #mine = [];
  /** Own hidden strokes that can be shown again, the last hidden last. */
  #redoable = [];
  #told;

  /** `told.said(saying)` and `told.locked(layer)` are called; `member` is one's own number, 0 for an onlooker. */
  constructor(sheet, told = {}) {
    this.drawing = new Drawing(sheet);
    this.member = 0;
    this.#told = told;
  }

  /** Shows an own operation ahead of the server. */
  draft(number, op) {
    const draft = { op, shows: true };
    this.#drafts.set(number, draft);
    draft.shows = this.#show(number, op);
  }

  /** Registers an operation that is shown already. */
  note(number, op) {
    this.#drafts.set(number, { op, shows: true });
  }

  ownStroke(number) {
    return this.drawing.find(idOf(this.member, number));
  }

  /** Applies a record of the log or of a snapshot. `time` is null where it is not known. */
  confirm({ member, number, op }, time = null) {
    const isShown = member === this.member && (this.#drafts.get(number)?.shows ?? false);
    if (member === this.member) this.#drafts.delete(number);
    switch (op.kind) {
      case "begin": return this.#confirmBegin(member, number, op, isShown);
      case "points": return this.#confirmPoints(member, op, isShown);
      case "undo": return this.#confirmUndone(member, op.stroke, true);
      case "redo": return this.#confirmUndone(member, op.stroke, false);
      case "clear": return this.#clear(op.layer);
      case "lock":
        this.drawing.layers[op.layer].locked = op.locked;
        return this.#told.locked?.(op.layer);
      case "say": return this.#told.said?.({ member, number, text: op.text, time, waits: false });
    }
  }

  /** Takes back what the server has refused. Returns the operation, if it was one of ours. */
  refuse(number) {
    const draft = this.#drafts.get(number);
    this.#drafts.delete(number);
    if (draft?.shows) this.#takeBack(number, draft.op);
    return draft?.op;
  }

  /** The log has passed the point at which all up to `number` was decided: what it did not confirm was refused. */
  refuseUpTo(number) {
    for (const draft of [...this.#drafts.keys()]) if (draft <= number) this.refuse(draft);
  }

  /** Begins from nothing, for a snapshot. */
  reset() {
    this.#drafts.clear();
    this.#hidden.clear();
    this.#mine = [];
    this.#redoable = [];
    this.drawing.reset();
  }

  /** Drafts got other numbers: `moved` says which, old to new. */
  renumber(moved) {
    const drafts = [...this.#drafts];
    this.#drafts = new Map(drafts.map(([number, draft]) => [moved.get(number) ?? number, draft]));
    for (const [before, number] of moved) {
      const stroke = this.ownStroke(before);
      if (stroke) this.drawing.rename(stroke, idOf(this.member, number), number);
    }
  }

  /** The stroke that an Undo would hide: the last own one that shows. */
  get undoable() {
    return this.#mine.findLast((stroke) => !stroke.undone) ?? null;
  }

  /** The stroke that a Redo would show. */
  get redoable() {
    return this.#redoable.at(-1) ?? null;
  }

  /** Shows a draft. Returns whether there was something to show it on. */
  #show(number, op) {
    switch (op.kind) {
      case "begin": {
        const stroke = this.drawing.begin(idOf(this.member, number), {
          ...op, member: this.member, number, waits: true, isOwn: true,
        });
        if (op.ends) this.drawing.finish(stroke);
        this.#mine.push(stroke);
        // The server forgets them with this Begin; until it has said so they stay, hidden.
        this.#redoable = [];
        return true;
      }
      case "points": {
        const stroke = this.ownStroke(op.stroke);
        if (stroke) this.drawing.grow(stroke, op.points, op.ends);
        return stroke !== undefined;
      }
      case "undo":
      case "redo":
        this.#refreshUndone(this.ownStroke(op.stroke));
        return true;
      case "say":
        this.#told.said?.({ member: this.member, number, text: op.text, time: null, waits: true });
        return true;
      default:
        return false;
    }
  }

  #takeBack(number, op) {
    const stroke = this.ownStroke(op.kind === "begin" ? number : op.stroke);
    if (op.kind === "say") this.#told.unsaid?.(number);
    if (!stroke) return;
    if (op.kind === "begin") this.#remove(stroke);
    else if (op.kind === "points") this.drawing.shorten(stroke, stroke.taken, op.points.length / 3);
    else this.#refreshUndone(stroke);
  }

  #confirmBegin(member, number, op, isShown) {
    for (const stroke of this.#hidden.get(member) ?? []) this.#remove(stroke);
    this.#hidden.delete(member);
    const known = isShown ? this.ownStroke(number) : null;
    if (known) {
      this.drawing.place(known);
      known.taken = op.points.length / 3;
      return;
    }
    const stroke = this.drawing.begin(idOf(member, number), { ...op, member, number });
    if (op.ends) this.drawing.finish(stroke);
    if (member === this.member) this.#mine.push(stroke);
  }

  #confirmPoints(member, op, isShown) {
    const stroke = this.drawing.find(idOf(member, op.stroke));
    if (!stroke) return;
    stroke.taken += op.points.length / 3;
    if (!isShown) this.drawing.grow(stroke, op.points, op.ends);
  }

  #confirmUndone(member, number, undone) {
    const stroke = this.drawing.find(idOf(member, number));
    if (!stroke) return;
    const hidden = this.#hidden.get(member) ?? new Set();
    this.#hidden.set(member, hidden);
    if (undone) hidden.add(stroke);
    else hidden.delete(stroke);
    this.#refreshUndone(stroke);
  }

  /** Whether a stroke is hidden: as the last draft about it says, or else the log. */
  #refreshUndone(stroke) {
    if (!stroke) return;
    let undone = this.#hidden.get(stroke.member)?.has(stroke) ?? false;
    if (stroke.member === this.member) {
      for (const { op } of this.#drafts.values()) {
        if ((op.kind === "undo" || op.kind === "redo") && op.stroke === stroke.number) undone = op.kind === "undo";
      }
      if (undone !== stroke.undone) this.#redoable = this.#redoable.filter((other) => other !== stroke);
      if (undone && !stroke.undone) this.#redoable.push(stroke);
    }
    this.drawing.setUndone(stroke, undone);
  }

  #clear(layer) {
    this.drawing.clear(layer);
    const stands = (stroke) => this.drawing.find(stroke.id) === stroke;
    this.#mine = this.#mine.filter(stands);
    this.#redoable = this.#redoable.filter(stands);
    for (const [member, strokes] of this.#hidden) this.#hidden.set(member, new Set([...strokes].filter(stands)));
  }

  #remove(stroke) {
    this.drawing.remove(stroke);
    this.#mine = this.#mine.filter((other) => other !== stroke);
    this.#redoable = this.#redoable.filter((other) => other !== stroke);
  }
}
