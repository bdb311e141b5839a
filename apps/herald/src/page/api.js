// Talks to Herald: JSON with the key in a header, and the live events.
// The key lives in sessionStorage: it survives a reload, not the tab. EventSource cannot send a header, so the
// event stream is read with fetch, and resumed with Last-Event-ID as an EventSource would.

const STORED = "herald-key";
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;

/** An error answer, as problem details. */
export class Problem extends Error {
  constructor(body) {
    super(body.detail || body.title);
    this.status = body.status;
    this.errors = body.errors ?? [];
  }
}

/** Takes the key out of the address bar before anybody can read it over a shoulder or in the history. */
export function takeKeyFromFragment() {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return false;
  setKey(key);
  history.replaceState(null, "", location.pathname);
  return true;
}

export const hasKey = () => sessionStorage.getItem(STORED) !== null;
/** A header carries nothing else, and no key of Herald's has anything else: `fetch` would throw. */
export const canBeKey = () => /^[!-~]+$/.test(sessionStorage.getItem(STORED));
export const setKey = (key) => sessionStorage.setItem(STORED, key);
export const forgetKey = () => sessionStorage.removeItem(STORED);

const authorised = (headers = {}) => ({ ...headers, Authorization: `Bearer ${sessionStorage.getItem(STORED)}` });

async function request(path, options = {}) {
  const response = await fetch(path, { ...options, headers: authorised(options.headers), cache: "no-store" });
  const body = await response.json();
  if (!response.ok) throw new Problem(body);
  return body;
}

export const get = (path) => request(path);

export const post = (path, body, headers = {}) =>
  request(path, { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body) });

/**
 * Calls `onEvent(event)` for each event, for ever; `onState` with "live", "lost" or "refused".
 * A connection that breaks is made again after a growing pause, from the last event that was seen.
 */
export async function follow(onEvent, onState) {
  let last = null;
  let pause = RETRY_MS_MIN;
  for (;;) {
    try {
      const response = await fetch("/v1/events", {
        headers: authorised(last === null ? {} : { "Last-Event-ID": last }),
        cache: "no-store",
      });
      if (response.status === 401) return onState("refused");
      // The server does not know the last event: its data are others than before, so the stream begins anew.
      if (response.status === 400) last = null;
      if (!response.ok) throw new Problem(await response.json());
      onState("live");
      pause = RETRY_MS_MIN;
      for await (const event of parse(response.body)) {
        last = event.id ?? last;
        if (event.data) onEvent(JSON.parse(event.data));
      }
    } catch (error) {
      console.info("the event stream broke:", error.message);
    }
    onState("lost");
    await new Promise((resume) => setTimeout(resume, pause * (0.5 + Math.random())));
    pause = Math.min(pause * 2, RETRY_MS_MAX);
  }
}

/** The events of a `text/event-stream`: blocks of `field: value` lines with an empty line after each. */
async function* parse(body) {
  let rest = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield fields(block);
  }
}

function fields(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  return event;
}
