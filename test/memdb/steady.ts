// steady.c under the library with memdb: a program that allocates what it is
// told to, and what memdb's stores say of it.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { askStatus } from "../../runtime/memdb/wirestatus.js";
import { openStore } from "../../runtime/stores/store.js";
import { after } from "../support/after.js";
import { readReport } from "../support/expectations.js";
import { build, library, Running } from "../support/programs.js";

export function environment(host: string, port = 0, more: Record<string, string> = {}): Record<string, string> {
  const env: Record<string, string> = {
    LD_PRELOAD: library,
    MEMHOOK_NET_HOST: host,
    MEMHOOK_CACHE_FLUSH_INTERVAL: "50ms",
  };
  if (port) env.MEMHOOK_NET_PORT = String(port);
  return { ...env, ...more };
}

const programs: Steady[] = [];
after(() => {
  for (const program of programs) program.running.stop();
});

/** steady.c, told what to do. */
export class Steady {
  readonly running: Running;

  constructor(env: Record<string, string>) {
    this.running = new Running(build("steady.c"), [], { env });
    programs.push(this);
  }

  async tell(command: string): Promise<string> {
    this.running.tell(`${command}\n`);
    const line = await this.running.line();
    assert.ok(line !== undefined, `ended at '${command}': ${this.running.stderr}`);
    return line;
  }

  async end(): Promise<void> {
    this.running.tell("exit 3\n");
    assert.equal((await this.running.finished).status, 3);
  }
}

/** "live COUNT BYTES" by the store, of the blocks that steady.c counts; why not, while there is no such store. */
export async function stored(path: string): Promise<string> {
  try {
    const store = await openStore(path);
    try {
      const { matched } = await store.query({
        aggregate: true,
        sort: "size",
        minSize: 5000,
        maxSize: 5999,
        kind: "heap",
      });
      return `live ${matched.count} ${matched.bytes}`;
    } finally {
      store.close();
    }
  } catch (error) {
    return String(error);
  }
}

/** Waits until the store says what the program says: a flush and a write away. */
export async function agree(path: string, expected: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await stored(path);
    if (found === expected) return;
    assert.ok(Date.now() < deadline, `${path}: ${found} instead of ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the store at the path is this process's. */
export async function holds(path: string, pid: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const found = existsSync(path) ? (await readReport(path)).process.pid : undefined;
    if (found === pid) return;
    assert.ok(Date.now() < deadline, `${path}: of process ${found} instead of ${pid}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The stores of these processes, once memdb has all of them. */
export async function settled(socket: string, pids: number[]): Promise<string[]> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { sessions } = await askStatus({ path: socket });
    const stores = pids.map((pid) => sessions.find((session) => session.pid === pid && session.complete)?.store);
    if (!stores.includes(undefined)) return stores as string[];
    assert.ok(Date.now() < deadline, `not all of ${pids} have connected again`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Milliseconds of processor time that a process's sender thread has used. */
export function senderTime(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const sender = tasks.find((task) => readFileSync(`${task}/comm`, "latin1") === "memhook\n");
  return Number(readFileSync(`${sender}/schedstat`, "latin1").split(" ")[0]) / 1e6;
}
