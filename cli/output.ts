// Standard output and standard error, as plain file descriptors.
//
// process.stdout is not used: its writes are asynchronous in some runtimes and for some kinds of file, so a large
// report would pile up in memory or be cut off by the exit. A blocking write has neither problem, is the same in Node,
// Bun and Deno, and reports a closed pipe where it happens.

import { writeSync } from "node:fs";
import { whyNotWritten } from "../runtime/host/errors.js";
import { gathered } from "../runtime/host/pieces.js";

/** The reader of standard output has gone, as in `memview | head`. That is no failure; there is nothing left to do. */
export class ReaderGone extends Error {}

/** Writes all of it, waiting while a pipe is full. */
export function writeAll(descriptor: number, content: string | Uint8Array): void {
  let bytes = typeof content === "string" ? Buffer.from(content) : content;
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(descriptor, bytes));
    } catch (error) {
      const code = (error as { code?: string }).code;
      if (code === "EPIPE") throw new ReaderGone();
      if (code !== "EAGAIN") throw new Error(`the output cannot be written (${whyNotWritten(error)})`);
      // Somebody made the pipe non-blocking and it is full: look again in a millisecond.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Prints pieces to standard output, many to a write. */
export function print(pieces: Iterable<string | Uint8Array>): void {
  for (const piece of gathered(pieces)) writeAll(1, piece);
}

/** Writes to standard error. A closed standard error is no reason to stop. */
export function tell(text: string): void {
  try {
    writeAll(2, text);
  } catch {}
}
