// Unpacks a part of a snapshot. Parts say nothing of their size, so the size is looked at while unpacking.

/** PROTOCOL.md: a part unpacks to 256 KiB at most. */
const PART_BYTES_MAX = 256 * 1024;

export async function unpack(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const chunks = [];
  let length = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > PART_BYTES_MAX) throw new Error("a part of the snapshot is larger than it may be");
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
