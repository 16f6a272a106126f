// Writes a file in one step: it is the old file or the new one, whatever happens in between.

import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import process from "node:process";
import { gathered } from "./pieces.js";

/**
 * Writes the pieces to `path`, by way of a file beside it.
 * @throws what writing throws; whyNotWritten() says it to people.
 */
export function writeWhole(path: string, pieces: Iterable<string | Uint8Array>): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    const file = openSync(temporary, "w");
    try {
      for (const bytes of gathered(pieces)) writeAll(file, bytes);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    try {
      // Under Bun that there is none is no error but on a read-only file system.
      rmSync(temporary, { force: true });
    } catch {
      // Why it could not be written is said.
    }
    throw error;
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  let left = bytes;
  while (left.length > 0) left = left.subarray(writeSync(file, left));
}
