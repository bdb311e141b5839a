export async function createRoom(url, body) { const r = await fetch(`${url}/api/rooms`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }); return r.json(); }
export class Server { static async start() { const s = new Server(); s.port = 8099; s.url = "http://127.0.0.1:8099"; return s; } async stop() {} async kill() {} async again() {} }
