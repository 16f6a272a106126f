// Runs a program under memhook: its environment, how it ended, which stores it left.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { resolve as absolute } from "node:path";
import { LaunchError } from "../host/errors.js";
import { textAt } from "../host/host.js";
import { findProgram } from "./program.js";
import type { Signals } from "./signals.js";

/** How a program ended: with a code, or by a signal. */
export interface Ending {
  pid: number;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** It started with capabilities that this process does not have: those of its file. */
  privileged: boolean;
}

/** Where the records go: the path of a store, or a value of MEMHOOK_NET_HOST. */
export type Where = { store: string } | { memdb: string };

/**
 * Runs a program under memhook with this process's own stdin, stdout and stderr and waits for its end.
 *
 * @param library its path, or another name for it, that LD_PRELOAD can hold.
 * @param where the first process puts its store, others take names beside it (storenames.ts); or the memdb that all
 *   send to.
 * @param signals this process's, which go to the program.
 * @throws LaunchError when the program cannot be run.
 */
export function launch(command: readonly string[], library: string, where: Where, signals: Signals): Promise<Ending> {
  const env: Record<string, string | undefined> = { ...process.env };
  env.LD_PRELOAD = env.LD_PRELOAD ? `${library}:${env.LD_PRELOAD}` : library;
  if ("store" in where) {
    env.MEMHOOK_FILE = where.store;
    // Would win over the file.
    delete env.MEMHOOK_NET_HOST;
  } else env.MEMHOOK_NET_HOST = where.memdb;

  return new Promise((resolve, reject) => {
    const child = signals.start(() => spawn(command[0]!, command.slice(1), { stdio: "inherit", env }));
    // Now, as it has begun and is not buried before this function returns.
    const privileged = (capabilities(child.pid) & ~capabilities(process.pid)) !== 0n;
    child.on("error", (error: NodeJS.ErrnoException) => {
      // A folder on PATH that we may not look into makes it EACCES, too.
      const missing = error.code === "EACCES" && !command[0]!.includes("/") && findProgram(command[0]!) === null;
      const why =
        error.code === "ENOENT" || missing
          ? "no such program"
          : error.code === "EACCES"
            ? notExecutable(absolute(command[0]!))
            : error.message;
      reject(new LaunchError(`cannot run ${command[0]}: ${why}`));
    });
    child.on("exit", async (code, signal) => {
      await signals.end();
      resolve({ pid: child.pid!, code, signal, privileged });
    });
  });
}

function notExecutable(path: string): string {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  // Number, parent, device, root, mount point, options. The last one on a path is on top of others.
  const holding = mounts
    .map((line) => line.split(" "))
    .filter(([, , , , point = "/"]) => `${path}/`.startsWith(point === "/" ? point : `${point}/`))
    .sort(([, , , , a = ""], [, , , , b = ""]) => a.length - b.length)
    .at(-1);
  return holding?.[5]?.split(",").includes("noexec") ? `${holding[4]} is mounted noexec` : "not executable";
}

/** Empty for a process that does not exist. */
function capabilities(pid: number | undefined): bigint {
  const status = textAt(`/proc/${pid}/status`);
  return BigInt(`0x${/^CapPrm:\s*([\da-f]+)/m.exec(status)?.[1] ?? 0}`);
}

/** The exit code that a shell would return: the program's own, or 128 plus the number of the signal that ended it. */
export function shellCode(ending: Omit<Ending, "privileged">): number {
  return ending.signal === null ? (ending.code ?? 0) : 128 + constants.signals[ending.signal];
}

export function wordsFor({ code, signal }: Ending): string {
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}
