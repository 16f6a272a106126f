// The style of texts on the terminal, if there is one.

import { fstatSync } from "node:fs";
import { type Style, styleFor } from "./reports/style.js";

/** The style for standard output (1) or standard error (2); `looks` are the options of these names. */
export function terminalStyle(
  descriptor: 1 | 2,
  looks: { bytes?: boolean | undefined; wide?: boolean | undefined } = {},
): Style {
  const { bytes = false, wide = false } = looks;
  const { isTTY = false, columns = 0 } = streamOf(descriptor) ?? {};
  return styleFor(isTTY, process.env, { bytes, wide }, { columns, folder: folder() });
}

/** The same for a verdict, whose paths are relative in a pipe, too. */
export function verdictStyle(descriptor: 1 | 2, looks: { wide?: boolean | undefined } = {}): Style {
  return { ...terminalStyle(descriptor, looks), folder: folder() };
}

/** The stream, if it may be a terminal. A runtime loads much code for a stream, which nothing else here needs. */
function streamOf(descriptor: 1 | 2): { isTTY?: boolean; columns?: number } | undefined {
  try {
    if (!fstatSync(descriptor).isCharacterDevice()) return undefined;
  } catch {
    // It was closed.
    return undefined;
  }
  return descriptor === 1 ? process.stdout : process.stderr;
}

function folder(): string {
  try {
    return process.cwd();
  } catch {
    // A folder that was deleted has no path.
    return "";
  }
}
