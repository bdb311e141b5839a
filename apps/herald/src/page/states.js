// What each state is called on the page, and the sentence that says what it means.
// The words of the API stay visible as titles, so that the page and the logs can be read side by side.

export const STATES = {
  planned: { word: "planned", tone: "wait", says: "It waits for its send_at." },
  due: { word: "due", tone: "wait", says: "It may be sent now and waits for its turn." },
  leased: { word: "taken up", tone: "wait", says: "A provider holds it; nothing has been sent." },
  intent: { word: "being sent", tone: "wait", says: "It is durably noted that it is about to be sent." },
  accepted: { word: "went out", tone: "good", says: "The provider took it." },
  retry: { word: "tries again", tone: "wait", says: "It failed for now and is tried again later." },
  unknown: { word: "in doubt", tone: "doubt", says: "It may or may not have been sent; the channel's policy decides what follows." },
  dead: { word: "dead", tone: "bad", says: "It failed for good." },
  expired: { word: "expired", tone: "quiet", says: "Its deadline passed before it was sent." },
  cancelled: { word: "cancelled", tone: "quiet", says: "It was withdrawn before it was sent." },
  skipped: { word: "skipped", tone: "quiet", says: "It was never meant to be sent, for a reason known when it was planned." },
};

const PENDING = ["planned", "due", "leased", "intent", "retry"];

/** The terms of the balance: what came in equals what became of it. */
export const TERMS = [
  { key: "accepted", label: "went out", tone: "good", states: ["accepted"] },
  { key: "pending", label: "waiting", tone: "wait", states: PENDING },
  { key: "unknown", label: "in doubt", tone: "doubt", states: ["unknown"] },
  { key: "dead", label: "dead", tone: "bad", states: ["dead"] },
  { key: "expired", label: "expired", tone: "quiet", states: ["expired"] },
  { key: "cancelled", label: "cancelled", tone: "quiet", states: ["cancelled"] },
  { key: "skipped", label: "skipped", tone: "quiet", states: ["skipped"] },
];
