// memdb as a command of its own, with its log as it comes.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { after } from "../support/after.js";
import { commandLine } from "../support/run.js";

export interface Entry {
  time: string;
  event: string;
  peer?: string;
  pid?: number;
  store?: string;
  reason?: string;
  counts?: { live: number; bytes: number };
}

const running = new Set<Command>();
after(() => {
  for (const command of running) command.signal("SIGKILL");
});

export class Command {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  readonly #lines: AsyncIterator<string>;

  /** memdb --json with these arguments. */
  constructor(...args: string[]) {
    const [command, ...before] = commandLine("memdb");
    this.child = spawn(command!, [...before, "--json", ...args], { stdio: ["ignore", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    running.add(this);
    this.exit = new Promise((resolve) =>
      this.child.on("exit", (code) => {
        running.delete(this);
        resolve(code);
      }),
    );
  }

  /** Not child.kill(): after that Deno reports the signal as the end, whatever the exit code was. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.child.pid!, signal);
  }

  /** The next entry of this kind; those before it are skipped. */
  async entry(event: string): Promise<Entry> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      assert.ok(!done, `memdb ended before it logged '${event}'`);
      const entry = JSON.parse(value) as Entry;
      assert.match(entry.time, /^\d{4}-.*Z$/);
      if (entry.event === event) return entry;
    }
  }

  async listening(): Promise<Entry & { port: number }> {
    const entry = await this.entry("listening");
    return { ...entry, port: Number(/:(\d+)$/.exec(entry.peer!)?.[1]) };
  }
}
