// The small form that sends a test notification.

import { post, Problem } from "./api.js";
import { byId } from "./dom.js";

/** Wires the form; `onSent(id)` follows a 202. */
export function prepareCompose(onSent) {
  const dialog = byId("compose");
  const form = byId("compose-form");
  const send = form.querySelector("[type=submit]");
  /** One key for each mail, so that a repeat after an answer that was lost stores no second one. */
  let last = { body: null, key: null };
  byId("compose-open").addEventListener("click", () => dialog.showModal());
  byId("compose-close").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.disabled) return;
    send.disabled = true;
    byId("compose-error").textContent = "";
    const body = bodyOf(new FormData(form));
    if (JSON.stringify(body) !== JSON.stringify(last.body)) last = { body, key: newKey() };
    try {
      const accepted = await post("/v1/notifications", body, { "Idempotency-Key": last.key });
      last = { body: null, key: null };
      dialog.close();
      onSent(accepted.id);
    } catch (error) {
      byId("compose-error").textContent = explain(error);
    } finally {
      send.disabled = false;
    }
  });
}

/** `crypto.randomUUID` is there only over HTTPS and on loopback. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");

function bodyOf(fields) {
  const body = { to: { email: fields.get("to") }, subject: fields.get("subject") };
  for (const part of ["text", "html"]) {
    if (fields.get(part)) body[part] = fields.get(part);
  }
  return body;
}

/** What the form calls the places that the API points to. */
const LABELS = { "/to/email": "To", "/subject": "Subject", "/text": "Text", "/html": "HTML" };

function explain(error) {
  if (!(error instanceof Problem)) return `Herald could not be reached: ${error.message}`;
  if (error.errors.length === 0) return error.message;
  return error.errors.map(({ pointer, detail }) => `${LABELS[pointer] ?? pointer}: ${detail}`).join("\n");
}
