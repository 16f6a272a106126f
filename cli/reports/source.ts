// Three lines of source for a frame, if the file is there:
//
//     make_leak at /src/leak.c:12
//           11      char *name = read_name();
//         > 12      list = append(list, strdup(name));
//           13      free(name);
//
// The path comes from debug information, so it may be anything. Only regular files of a sensible size are opened, and
// only printable text goes to the terminal.

import { readFileSync, statSync } from "node:fs";
import { printable } from "../../runtime/host/printable.js";
import { start } from "./columns.js";

const LARGEST_FILE = 16 << 20;
const LONGEST_LINE = 160;
const FILES_KEPT = 64;

const files = new Map<string, string[] | null>();

/** The lines around `line` of the file, indented, in `columns`; "" when there is no such file or line. */
export function sourceText(file: string, line: number, columns = Infinity): string {
  const lines = linesOf(file);
  if (lines === null || line < 1 || line > lines.length) return "";
  const first = Math.max(1, line - 1);
  const last = Math.min(lines.length, line + 1);
  const width = String(last).length;
  let text = "";
  for (let number = first; number <= last; number++) {
    const code = printable(lines[number - 1]!.replaceAll("\t", "    ")).slice(0, LONGEST_LINE);
    const whole = `      ${number === line ? ">" : " "} ${String(number).padStart(width)}  ${code}`;
    text += start(whole, columns).trimEnd();
    text += "\n";
  }
  return text;
}

function linesOf(file: string): string[] | null {
  let lines = files.get(file);
  if (lines === undefined) {
    lines = read(file);
    if (files.size >= FILES_KEPT) files.clear();
    files.set(file, lines);
  }
  return lines;
}

function read(file: string): string[] | null {
  try {
    const status = statSync(file);
    if (!status.isFile() || status.size > LARGEST_FILE) return null;
    const lines = readFileSync(file, "utf8").split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    return lines;
  } catch {
    return null;
  }
}
