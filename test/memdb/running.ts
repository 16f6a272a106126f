// memdb in the test's own process, on a port of its own.

import { join } from "node:path";
import { type LogEntry, type Memdb, type ServeOptions, serve } from "../../runtime/memdb/serve.js";
import { after } from "../support/after.js";
import { Client, type Where } from "./client.js";

export interface Running {
  memdb: Memdb;
  where: Where;
  /** The first store's path. */
  path: string;
  log: LogEntry[];
  /** The first entry of this kind, now or as soon as it is logged. */
  logged(event: LogEntry["event"]): Promise<LogEntry>;
  client(): Client;
}

let stores = 0;

/**
 * Gives a suite its way to start one; the suite's memdbs end with it. (Bun runs all
 * suites in one process, with one copy of this module, so nothing here may belong to
 * a single suite.) Nothing is written behind a test's back: it calls memdb.flush().
 */
export function starter(folder: string): (options?: Partial<ServeOptions>) => Promise<Running> {
  const started: Memdb[] = [];
  after(async () => {
    for (const memdb of started) await memdb.close();
  });
  return async (options = {}) => {
    const running = await start(options.store ?? join(folder, `${++stores}.mem`), options);
    started.push(running.memdb);
    return running;
  };
}

async function start(path: string, options: Partial<ServeOptions>): Promise<Running> {
  const log: LogEntry[] = [];
  const memdb = await serve({
    store: path,
    size: 1 << 28,
    tcp: options.unix === undefined ? { host: "127.0.0.1", port: 0 } : undefined,
    ...options,
    limits: { writeMs: 1 << 30, ...options.limits },
    log: (entry) => log.push(entry),
  });
  const where: Where =
    options.unix === undefined ? { host: "127.0.0.1", port: memdb.address!.port } : { path: options.unix };
  return {
    memdb,
    where,
    path,
    log,
    client: () => new Client(where),
    async logged(event) {
      await until(() => log.some((entry) => entry.event === event));
      return log.find((entry) => entry.event === event)!;
    },
  };
}

/** Lets everything else run until the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
