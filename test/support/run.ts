// Runs memhook's launchers as a user would, with the runtime that runs the tests, and returns what they printed.

import assert from "node:assert/strict";
import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { after } from "./after.js";
import "./environment.js";

/** The project's folder, from dist/test/support/. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** How each runtime is called before the launcher's path. */
export const RUNTIMES: Record<string, readonly string[]> = {
  node: ["node"],
  bun: [join(root, "node_modules/.bin/bun")],
  deno: [join(root, "node_modules/.bin/deno"), "run", "-A"],
};

/** Why a test that asks every runtime is not run by this one: a test's skip. */
export const onceIsEnough: string | false =
  ("bun" in process.versions || "deno" in process.versions) && "Node's suite does this for all runtimes";

const OWN: readonly string[] = [process.execPath, ...("deno" in process.versions ? ["run", "-A"] : [])];

export interface Finished {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** What to spawn for a launcher, for tests that need their own spawn. */
export function commandLine(launcher: string, runtime = OWN): readonly string[] {
  return [...runtime, join(root, launcher)];
}

/** Runs `memview` and its like with these arguments. Times are in UTC unless `env` says otherwise. */
export function run(
  launcher: "memview" | "memhook" | "memdb",
  args: readonly string[],
  {
    env = {},
    runtime = OWN,
    ...options
  }: SpawnSyncOptions & { env?: Record<string, string>; runtime?: readonly string[] } = {},
): Finished {
  const [command, ...before] = commandLine(launcher, runtime);
  const { status, signal, stdout, stderr, error } = spawnSync(command!, [...before, ...args], {
    ...options,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    // NO_COLOR: some runtimes colour what they print themselves.
    env: { ...process.env, TZ: "UTC", NO_COLOR: "1", ...env },
  });
  if (error) throw error;
  return { code: status, signal, stdout: String(stdout), stderr: String(stderr) };
}

/** Runs a tool to its end while others get their turn, and gives its standard output; it must end well. */
export async function runTool(
  command: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { cwd, env: { ...process.env, NO_COLOR: "1", ...env } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (...ending) => resolve(ending));
  });
  assert.equal(code, 0, `${command.join(" ")}: ${signal ?? code}\n${stdout}${stderr}`);
  return stdout;
}

/** A folder that is removed when the file's tests are done. Call it outside of tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "memhook-test-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
