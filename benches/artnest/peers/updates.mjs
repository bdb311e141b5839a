// Writes what Yjs sends for strokes: for each user a series of updates, each of which appends one batch to an array.
// The load generator replays them, so that it costs the same for all contestants.
// updates.mjs FILE USERS UPDATES PAYLOAD_BYTES
import { openSync, writeSync, closeSync } from "node:fs";
import * as Y from "yjs";

const [file, users, updates, bytes] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const MAGIC = Buffer.from("ARTNEST!");

const out = openSync(file, "w");
for (let user = 0; user < users; user++) {
  const doc = new Y.Doc();
  doc.clientID = user + 1;
  const chunks = [];
  doc.on("update", (update) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(update.length);
    chunks.push(length, Buffer.from(update));
  });
  const strokes = doc.getArray("strokes");
  for (let number = 0; number < updates; number++) {
    const payload = Buffer.alloc(bytes);
    MAGIC.copy(payload);
    payload.writeUInt32LE(user, 8);
    payload.writeUInt32LE(number, 12);
    strokes.push([new Uint8Array(payload)]);
  }
  writeSync(out, Buffer.concat(chunks));
}
closeSync(out);
