// What kind of file a path names, found out before it is read as that kind.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What kind of file a path names, by its first bytes; "other" may be a store. */
export function kindOfFile(path: string): "snapshot" | "compressed" | "other" | "absent" {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    return "other";
  }
  try {
    const start = new Uint8Array(16);
    if (!fstatSync(file).isFile()) return "other";
    const length = readSync(file, start, 0, start.length, 0);
    if (start[0] === 0x1f && start[1] === 0x8b) return "compressed";
    // The user's own text, such as a merge's marks, is for parseSnapshot() to
    // complain about; an empty file for the store's reader.
    const text = new TextDecoder().decode(start.subarray(0, length));
    return /^\s*[{<]/.test(text) ? "snapshot" : "other";
  } finally {
    closeSync(file);
  }
}
