// Who wants to know what: `news.on("status", show)`, `news.tell("status", status)`.

export class News {
  #readers = new Map();

  on(what, read) {
    this.#readers.set(what, [...(this.#readers.get(what) ?? []), read]);
  }

  tell(what, ...details) {
    for (const read of this.#readers.get(what) ?? []) read(...details);
  }
}
