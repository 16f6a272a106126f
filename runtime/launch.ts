// Running a program under memhook: with which environment, how it ended, which stores it left.

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { LaunchError } from "./errors.js";
import { findProgram } from "./program.js";
import type { Signals } from "./signals.js";

/** How a program ended: with a code, or by a signal. */
export interface Ending {
  pid: number;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Runs a program under memhook with this process's own stdin, stdout and stderr and waits for its end.
 *
 * @param library its path, or another name for it, that LD_PRELOAD can hold.
 * @param store where the first process puts its store; others take names beside it; see storenames.ts.
 * @param signals this process's, which go to the program.
 * @throws LaunchError when the program cannot be run.
 */
export function launch(command: readonly string[], library: string, store: string, signals: Signals): Promise<Ending> {
  const env: Record<string, string | undefined> = { ...process.env };
  env.LD_PRELOAD = env.LD_PRELOAD ? `${library}:${env.LD_PRELOAD}` : library;
  env.MEMHOOK_FILE = store;
  // Would win over the file.
  delete env.MEMHOOK_NET_HOST;

  return new Promise((resolve, reject) => {
    const child = signals.start(() => spawn(command[0]!, command.slice(1), { stdio: "inherit", env }));
    child.on("error", (error: NodeJS.ErrnoException) => {
      // A folder on PATH that we may not look into makes it EACCES, too.
      const missing = error.code === "EACCES" && !command[0]!.includes("/") && findProgram(command[0]!) === null;
      const why =
        error.code === "ENOENT" || missing
          ? "no such program"
          : error.code === "EACCES"
            ? "not executable"
            : error.message;
      reject(new LaunchError(`cannot run ${command[0]}: ${why}`));
    });
    child.on("exit", async (code, signal) => {
      await signals.end();
      resolve({ pid: child.pid!, code, signal });
    });
  });
}

/** The exit code a shell would give: the program's own, or 128 and the number of the signal that ended it. */
export function shellCode(ending: Ending): number {
  return ending.signal === null ? (ending.code ?? 0) : 128 + constants.signals[ending.signal];
}
