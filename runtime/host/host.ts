// What the library needs from the machine. Only this file asks which runtime this is.
//
// Node, Bun and Deno all have node:fs with positional, synchronous reads. Reading a store piece by piece into WASM
// memory in this way is as fast in each runtime as its own interfaces (measured). So one adapter serves all three.
// Their differences are handled only here.

import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs";

/** A file, or anything else with bytes at positions. All methods throw Error with a Node error code. */
export interface ByteSource {
  /** Length in bytes, now. */
  size(): number;
  /** Fills `target` from `position` on; returns fewer bytes only at the end of the source. */
  read(target: Uint8Array, position: number): number;
  /** From then on it has nothing to say; closing it again does nothing. */
  close(): void;
}

/** Opens a regular file for positional reads. */
export function openFile(path: string): ByteSource {
  // Asked first: opening a pipe would wait for somebody to write into it.
  const status = statSync(path);
  if (!status.isFile()) throw Object.assign(new Error("not a regular file"), { code: "ENOTFILE" });
  let file: number | undefined = openSync(path, "r");
  // A descriptor that was closed is somebody else's, or will be.
  const open = () => {
    if (file === undefined) throw new Error("it was closed");
    return file;
  };
  return {
    size: () => fstatSync(open()).size,
    read(target, position) {
      let done = 0;
      while (done < target.length) {
        const bytes = readSync(open(), target, done, target.length - done, position + done);
        if (bytes === 0) break;
        done += bytes;
      }
      return done;
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/** What a small file holds, as those of /proc do; "" where it cannot be read. One character is one byte. */
export function textAt(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

export type RuntimeName = "node" | "bun" | "deno";

/** The runtime this program runs under. */
export function runtimeName(): RuntimeName {
  const versions: Record<string, string | undefined> = process.versions;
  if (versions.bun) return "bun";
  if (versions.deno) return "deno";
  return "node";
}

/** Deno was not told to allow it. */
export function isRefused(error: unknown): boolean {
  return runtimeName() === "deno" && (error as Error | null)?.name === "NotCapable";
}

/** How to run a compiled script of ours in the same runtime: program, then arguments. */
export function scriptCommand(script: string): [string, ...string[]] {
  return runtimeName() === "deno"
    ? [process.execPath, "run", "--allow-all", "--quiet", script]
    : [process.execPath, script];
}
