// The HTTP API of PROTOCOL.md, and the rooms that this browser has links to. A token and the key of the member who asks
// are sent in headers and nowhere else.

import { memberOf } from "./session/disk.js";

const ROOMS = "artnest-rooms";
/** The rooms visited last are kept. */
const ROOMS_MAX = 100;

/** An error answer, as problem details; `code` names the kind, `status` is 0 where no answer came. */
export class Problem extends Error {
  constructor({ detail, title, status = 0, code = "unknown" }) {
    super(detail || title || "The server did not answer.");
    this.status = status;
    this.code = code;
  }
}

async function request(method, path, { token = null, member = null, body = null } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (member) headers["Artnest-Member"] = member;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem({ code: "offline", detail: "The server cannot be reached." });
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ title: response.statusText }));
  throw new Problem({ ...problem, status: response.status });
}

const json = async (...call) => (await request(...call)).json();

export const server = () => json("GET", "/api/server");
export const rooms = (cursor) => json("GET", `/api/rooms${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""}`);
export const createRoom = (body, token) => json("POST", "/api/rooms", { body, token });

const at = (room, path = "") => `/api/rooms/${encodeURIComponent(room)}${path}`;
const asMyself = (room) => ({ token: tokenOf(room), member: memberOf(room) });

export const room = (id) => json("GET", at(id), asMyself(id));
export const changeRoom = (id, body) => json("PATCH", at(id), { ...asMyself(id), body });
export const deleteRoom = (id) => request("DELETE", at(id), asMyself(id));
export const links = (id) => json("GET", at(id, "/links"), asMyself(id));
export const renewLink = (id, role) => json("POST", at(id, `/links/${role}`), asMyself(id));
export const members = (id) => json("GET", at(id, "/members"), asMyself(id));
export const unban = (id, member) => request("DELETE", at(id, `/bans/${member}`), asMyself(id));
export const forgetHistory = (id) => json("POST", at(id, "/forget"), asMyself(id));

/** A picture or a stream of the room. An <img> or a link cannot say who asks, so it is fetched. */
export const file = (id, path) => request("GET", at(id, path), asMyself(id));
export const picture = async (path, id) => (await request("GET", path, asMyself(id))).blob();

/** The rooms this browser has visited: `{ id, name, token, visited }`, the last one first. */
export function knownRooms() {
  try {
    const known = JSON.parse(localStorage.getItem(ROOMS));
    return Array.isArray(known) ? known : [];
  } catch {
    return [];
  }
}

export const tokenOf = (id) => knownRooms().find((known) => known.id === id)?.token ?? "";

/** Notes a visit; what is not said stays as it was. */
export function noteRoom(id, fields) {
  const before = knownRooms().find((known) => known.id === id);
  const others = knownRooms().filter((known) => known.id !== id);
  const noted = { id, token: "", name: "", ...before, ...fields, visited: Date.now() };
  localStorage.setItem(ROOMS, JSON.stringify([noted, ...others].slice(0, ROOMS_MAX)));
}

export function forgetRoom(id) {
  localStorage.setItem(ROOMS, JSON.stringify(knownRooms().filter((known) => known.id !== id)));
}
