// What the surroundings say about a text on the terminal.

import process from "node:process";
import { isatty } from "node:tty";

/** Width of standard output, 0 if unknown, and the current folder, "" if it is gone. */
export function terminal(): { columns: number; folder: string } {
  let folder = "";
  try {
    folder = process.cwd();
  } catch {
    // A folder that was deleted has no path.
  }
  return { columns: isatty(1) ? (process.stdout.columns ?? 0) : 0, folder };
}
