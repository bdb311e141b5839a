// What a tab writes down in the browser: who it is in each room, and its undecided operations. Two tabs never share an
// identity: a tab holds the lock of its own. A tab that opens later takes over what a closed one left behind.

const DATABASE = "artnest";
const OPERATIONS = "operations";
const KEYS = "artnest-keys";
/** More identities than this are not kept for a room: no browser has so many tabs on one. */
const KEYS_MAX = 16;
/** The keys that this tab holds, by room. */
const held = new Map();

/**
 * The identity of this tab in a room: `{ key, disk, items }`. An identity that no living tab holds is taken over,
 * one with undecided operations first; else a new one is made.
 */
export async function identify(room) {
  const database = await open();
  const known = keysOf(room);
  const waiting = database ? await keysWithOperations(database, room) : new Set();
  const candidates = [...waiting, ...known.filter((key) => !waiting.has(key))];
  const key = (await firstFree(room, candidates)) ?? (await fresh(room));
  held.set(room, key);
  const disk = database ? new Disk(database, room, key) : new Nowhere();
  return { key: fromHex(key), disk, items: await disk.items() };
}

/** Who this tab is in a room, as a key in hexadecimal; else who this browser was there last. Null if it never was. */
export const memberOf = (room) => held.get(room) ?? keysOf(room).at(-1) ?? sessionKey(room);

/** Takes the lock of the first identity that no other tab holds, for as long as this tab lives. */
async function firstFree(room, keys) {
  if (!navigator.locks) return sessionKey(room);
  for (const key of keys) if (await hold(room, key)) return key;
  return null;
}

/** Without locks (a page from plain HTTP has none) a tab keeps to itself what is its own, through reloads only. */
const sessionKey = (room) => sessionStorage.getItem(`${KEYS}:${room}`);

async function fresh(room) {
  const key = toHex(crypto.getRandomValues(new Uint8Array(16)));
  if (navigator.locks) {
    await hold(room, key);
    localStorage.setItem(KEYS, JSON.stringify({ ...allKeys(), [room]: [...keysOf(room), key].slice(-KEYS_MAX) }));
  } else {
    sessionStorage.setItem(`${KEYS}:${room}`, key);
  }
  return key;
}

function hold(room, key) {
  return new Promise((decided) => {
    navigator.locks.request(`artnest:${room}:${key}`, { ifAvailable: true }, (lock) => {
      decided(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}

const keysOf = (room) => allKeys()[room] ?? [];

function allKeys() {
  try {
    return JSON.parse(localStorage.getItem(KEYS)) ?? {};
  } catch {
    return {};
  }
}

/** The undecided operations of one identity, in IndexedDB. Writes follow one another; nobody waits for them. */
class Disk {
  #database;
  #room;
  #key;

  constructor(database, room, key) {
    this.#database = database;
    this.#room = room;
    this.#key = key;
  }

  async items() {
    const rows = await asked(this.#store("readonly").getAll(this.#range()));
    return rows.map(({ number, op }) => ({ number, op }));
  }

  put(items) {
    const store = this.#store("readwrite");
    for (const item of items) store.put({ room: this.#room, key: this.#key, ...item });
  }

  drop(until) {
    this.#store("readwrite").delete(this.#range(until));
  }

  replace(items) {
    this.drop(Number.MAX_SAFE_INTEGER);
    this.put(items);
  }

  #store(mode) {
    return this.#database.transaction(OPERATIONS, mode, { durability: "relaxed" }).objectStore(OPERATIONS);
  }

  #range(until = Number.MAX_SAFE_INTEGER) {
    return IDBKeyRange.bound([this.#room, this.#key, 0], [this.#room, this.#key, until]);
  }
}

/** Where the browser keeps nothing (a private window may refuse), the queue lives as long as the tab. */
class Nowhere {
  async items() { return []; }
  put() {}
  drop() {}
  replace() {}
}

async function open() {
  try {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(OPERATIONS, { keyPath: ["room", "key", "number"] });
    };
    return await asked(request);
  } catch (error) {
    console.warn("this browser keeps no queue:", error);
    return null;
  }
}

async function keysWithOperations(database, room) {
  const store = database.transaction(OPERATIONS).objectStore(OPERATIONS);
  const keys = await asked(store.getAllKeys(IDBKeyRange.bound([room], [room, []])));
  return new Set(keys.map(([, key]) => key));
}

const asked = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const fromHex = (hex) => Uint8Array.from(hex.match(/../g), (pair) => Number.parseInt(pair, 16));
