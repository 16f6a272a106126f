// Runs programs, and tells whether two runs came to the same.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Running } from "../../test/support/programs.js";
import { createLog } from "./log.js";

export interface Outcome {
  /** Its exit code or the signal that ended it. */
  end: string;
  stdout: string;
  stderr: string;
}

export interface Program {
  name: string;
  path: string;
  args: string[];
  input: string;
  /** Where it runs. */
  folder: string;
}

/** Runs the program to its end; undefined if it would not end. */
export async function outcomeOf(
  program: Program,
  env: Record<string, string>,
  limit: number,
): Promise<Outcome | undefined> {
  const { path, args, input, folder } = program;
  const running = new Running(path, args, { env, input, cwd: folder, limit });
  const finished = await running.finished.catch(() => undefined);
  running.stop();
  if (!finished) return undefined;
  const { status, signal, stdout, stderr } = finished;
  return { end: signal ?? `exit code ${status}`, stdout, stderr };
}

export interface Watched {
  outcome: Outcome;
  /** The path of each process's store by its id. */
  stores: Map<number, string>;
  /** What the witness wrote, if it was among what is preloaded. */
  log: string;
}

/** Runs it under memhook; stores and log come into a folder that is emptied before. Undefined if it would not end. */
export async function runWatched(
  program: Program,
  preload: readonly string[],
  folder: string,
  limit: number,
): Promise<Watched | undefined> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const log = join(folder, "log");
  createLog(log);
  const env = { LD_PRELOAD: preload.join(":"), MEMHOOK_FILE: join(folder, "%p.mem"), WITNESS_LOG: log };
  const outcome = await outcomeOf(program, env, limit);
  if (!outcome) return undefined;
  const names = readdirSync(folder).filter((name) => name.endsWith(".mem"));
  return { outcome, stores: new Map(names.map((name) => [Number.parseInt(name, 10), join(folder, name)])), log };
}

/** Addresses, and numbers that are long enough for process ids or times, are different in each run. */
function withoutNumbers(text: string): string {
  return text.replace(/\b(0x)?[0-9a-f]{6,}\b/gi, "N").replace(/0x[0-9a-f]+|\d{3,}/gi, "N");
}

/** The first thing that differs, in one line; undefined when nothing does. Lines may come in another order. */
export function difference(one: Outcome, other: Outcome): string | undefined {
  if (one.end !== other.end) return `${one.end}, not ${other.end}`;
  for (const stream of ["stdout", "stderr"] as const) {
    const [these, those] = [one[stream], other[stream]].map((text) => withoutNumbers(text).split("\n").sort());
    const line = those!.findIndex((text, index) => text !== these![index]);
    if (line >= 0 || these!.length !== those!.length)
      return `${stream}: ${JSON.stringify(these![line])}, not ${JSON.stringify(those![line])}`.slice(0, 200);
  }
  return undefined;
}
