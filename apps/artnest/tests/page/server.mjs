// The real `artnest` in a process of its own, over a folder that outlives it. ARTNEST_BIN names the program.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const PROGRAM = process.env.ARTNEST_BIN;
/** However slow the machine, a server that is not ready by then never will be. */
const READY_MS_MAX = 60_000;

export class Server {
  #folder;
  #process;
  #said = "";

  /** Starts it on a free port of loopback, over a folder of its own. */
  static async start() {
    if (!PROGRAM) throw new Error("ARTNEST_BIN does not name the program to test");
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), "artnest-page-"));
    server.port = await freePort();
    server.admin = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    await server.again();
    return server;
  }

  /** Starts it once more after `kill`, on the same port and folder. */
  async again() {
    const places = ["--data", this.#folder, "--admin", `127.0.0.1:${this.admin}`];
    this.#process = spawn(PROGRAM, ["serve", "--listen", `127.0.0.1:${this.port}`, ...places], { stdio: ["ignore", "ignore", "pipe"] });
    this.#process.stderr.on("data", (bytes) => { this.#said += bytes; });
    const until = Date.now() + READY_MS_MAX;
    while (Date.now() < until) {
      if (this.#process.exitCode !== null) break;
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resume) => setTimeout(resume, 50));
    }
    throw new Error(`artnest does not get ready:\n${this.#said}`);
  }

  /** `kill -9`. */
  async kill() {
    const ended = new Promise((resume) => this.#process.once("exit", resume));
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Carries out an operator's word, such as `rooms quota ROOM 0`. */
  async order(...words) {
    const places = ["--data", this.#folder, "--admin", `127.0.0.1:${this.admin}`];
    return (await promisify(execFile)(PROGRAM, [...words, ...places])).stdout;
  }

  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export async function createRoom(url, body) {
  const answer = await fetch(`${url}/api/rooms`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (answer.status !== 201) throw new Error(`no room was made: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
