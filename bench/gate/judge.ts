// Runs a program of the project through the gate as a user would, and tells what the gate said.

import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { run } from "../../test/support/run.js";

/** A call stack that is not as in the baseline. */
export interface Changed {
  status: "new" | "grown" | "shrunk" | "fixed";
  /** "function file:line", innermost first. */
  frames: string[];
  /** Those of stacks that it could be instead. */
  or: string[];
}

export interface Verdict {
  code: number | null;
  changed: Changed[];
}

type Frames = { function: string | null; file: string | null; line: number | null }[];

interface Telling {
  changes: { status: string; stack: Frames; or?: Frames[] }[];
}

// What CI systems set would forbid to write a baseline, and write to their summaries.
const env = { CI: "", GITHUB_STEP_SUMMARY: "", GITHUB_ACTIONS: "" };

/** Runs a program, and writes what it left live to a snapshot. */
export function snapshotOf(program: string, snapshot: string): void {
  rmSync(snapshot, { force: true });
  const { code, stderr } = run("memhook", ["run", "--baseline", snapshot, "--", program], {
    env,
    cwd: dirname(program),
  });
  if (code !== 0) throw new Error(`${program}: no snapshot: ${stderr}`);
}

/** Runs a program against a baseline, and tells what changed; whatever it is, it is told. */
export function judge(program: string, baseline: string, head: string): Verdict {
  snapshotOf(program, head);
  const { code, stdout, stderr } = run("memview", ["diff", "--fail-on", "any", "--format", "json", baseline, head], {
    env,
  });
  if (code !== 0 && code !== 1) throw new Error(`${program}: ${stderr}`);
  const { changes } = JSON.parse(stdout) as Telling;
  const changed = changes.filter(({ status }) => status !== "unchanged");
  return {
    code,
    changed: changed.map(({ status, stack, or = [] }) => ({
      status: status as Changed["status"],
      frames: texts(stack),
      or: or.flatMap(texts),
    })),
  };
}

const texts = (stack: Frames) => stack.map(({ function: name, file, line }) => `${name} ${file}:${line}`);
