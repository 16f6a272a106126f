// Why no store can be written at a path, found out by creating a file there. The library's own message goes only to
// MEMHOOK_LOG, if that is set.

import { closeSync, constants, lstatSync, openSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { whyNotWritten } from "../host/errors.js";
import { textAt } from "../host/host.js";

/** The least that a store takes. */
const LEAST_BYTES = 256 << 10;

/** One phrase that says what to do, null if a store could be made there. */
export function whyNotWritable(store: string): string | null {
  const found = lstatSync(store, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) return `${store} is no regular file: name another one with -f`;
  if (found !== undefined && found.size > 0)
    return (
      `${store} is there already and no store of this user's alone, so memhook does not touch it: name another one ` +
      "with -f"
    );
  const limit = Number(/^Max file size +(\d+)/m.exec(textAt("/proc/self/limits"))?.[1] ?? Number.POSITIVE_INFINITY);
  if (limit < LEAST_BYTES)
    return `a store needs files of ${LEAST_BYTES} bytes, and no more than ${limit} are allowed: ulimit -f`;
  const attempt = `${store}.${process.pid}.try`;
  try {
    const file = openSync(attempt, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      const bytes = new Uint8Array(LEAST_BYTES);
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    } finally {
      closeSync(file);
      unlinkSync(attempt);
    }
    return null;
  } catch (error) {
    const why = whyNotWritten(error);
    return `no store can be written in ${dirname(store)} (${why}): name another place with -f or TMPDIR`;
  }
}
