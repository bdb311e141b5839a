// The small form that sends a test notification.

import { post, Problem } from "./api.js";
import { byId } from "./dom.js";

/** Wires the form; `onSent(id)` follows a 202. */
export function prepareCompose(onSent) {
  const dialog = byId("compose");
  const form = byId("compose-form");
  byId("compose-open").addEventListener("click", () => dialog.showModal());
  byId("compose-close").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    byId("compose-error").textContent = "";
    try {
      const accepted = await post("/v1/notifications", bodyOf(new FormData(form)));
      dialog.close();
      onSent(accepted.id);
    } catch (error) {
      byId("compose-error").textContent = explain(error);
    }
  });
}

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
