// Starts a program that says "ready" and then answers lines, and ends it with the test.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { noCompiler } from "../support/programs.js";

const yama = (() => {
  try {
    return Number(readFileSync("/proc/sys/kernel/yama/ptrace_scope", "latin1"));
  } catch {
    return 0;
  }
})();

/** Why a program that was started by somebody else cannot be looked at here. */
export const cannotLook: string | false =
  noCompiler ||
  (process.getuid!() !== 0 && yama > 0 && `kernel.yama.ptrace_scope is ${yama}: only root looks at others' children`);

export interface Started {
  child: ChildProcess;
  pid: number;
  /** What it printed before it was ready. */
  lines: string[];
  ask(line: string): Promise<string>;
  /** Ends its input, and gives its exit code. */
  end(): Promise<number | null>;
}

export async function start(
  t: TestContext,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<Started> {
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  t.after(() => child.kill("SIGKILL"));
  const output = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await output.next();
    assert.ok(!done, `${command[0]} ended`);
    return String(value);
  };
  const lines: string[] = [];
  for (let line = await next(); line !== "ready"; line = await next()) lines.push(line);
  return {
    child,
    pid: child.pid!,
    lines,
    ask: (line) => {
      child.stdin!.write(`${line}\n`);
      return next();
    },
    end: () =>
      new Promise((resolve) => {
        child.on("exit", resolve);
        child.stdin!.end();
      }),
  };
}
