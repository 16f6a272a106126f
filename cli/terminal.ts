// How texts look on the terminal that is there, if one is.

import process from "node:process";
import { isatty } from "node:tty";
import { type Style, styleFor } from "./reports/style.js";

/** The style for standard output (1) or standard error (2); `looks` are the options of these names. */
export function terminalStyle(
  descriptor: 1 | 2,
  looks: { bytes?: boolean | undefined; wide?: boolean | undefined } = {},
): Style {
  const { bytes = false, wide = false } = looks;
  const stream = descriptor === 1 ? process.stdout : process.stderr;
  return styleFor(isatty(descriptor), process.env, { bytes, wide }, { columns: stream.columns ?? 0, folder: folder() });
}

function folder(): string {
  try {
    return process.cwd();
  } catch {
    // A folder that was deleted has no path.
    return "";
  }
}
