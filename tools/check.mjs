// Checks what no compiler checks: imports and includes, the table of life, what the library exports and needs, that
// asm/FORMAT.md agrees with asm/layout.ts and the manual with --help, lint and format, and that no file contains
// anything of one machine.
//
//   node tools/check.mjs [--root FOLDER]
//
// Prints `file:line: what` for each violation and exits with 1; otherwise prints one line. Each check is a function
// that takes the project's folder and returns its violations; test/tools/check.test.ts shows each of them failing.

import { dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { checkDocuments } from "./checks/documents.mjs";
import { checkFormat } from "./checks/format.mjs";
import { checkImports } from "./checks/imports.mjs";
import { checkIncludes } from "./checks/includes.mjs";
import { checkLibrary } from "./checks/library.mjs";
import { checkLife } from "./checks/life.mjs";
import { checkSize } from "./checks/size.mjs";
import { checkStyle } from "./checks/style.mjs";
import { checkText } from "./checks/text.mjs";

export const CHECKS = {
  checkImports,
  checkIncludes,
  checkLife,
  checkLibrary,
  checkFormat,
  checkStyle,
  checkSize,
  checkDocuments,
  checkText,
};

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const own = dirname(dirname(fileURLToPath(import.meta.url)));
  const at = process.argv.indexOf("--root");
  const root = at > 0 ? process.argv[at + 1] : own;
  const found = Object.values(CHECKS).flatMap((check) => check(root));
  for (const { file, line, what } of found) console.log(`${relative("", join(root, file))}:${line}: ${what}`);
  if (found.length === 0) console.log(`${Object.keys(CHECKS).length} checks, no violation`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
