// The files of the project, as the checks see them.

/** @typedef {{ file: string, line: number, what: string }} Violation */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const NOT_OURS = new Set([".git", "node_modules", "build", "dist", ".zig", "bench/out"]);

/** Every file of the project, as a path from its folder; what is generated or fetched is left out. */
export function files(root, folder = "") {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (NOT_OURS.has(path)) return [];
      return entry.isDirectory() ? files(root, path) : entry.isFile() ? [path] : [];
    });
}

export const read = (root, path) => readFileSync(join(root, path), "utf8");
export const lineOf = (text, offset) => text.slice(0, offset).split("\n").length;

/** The code with comments blanked out, every line where it was. */
export function withoutComments(code) {
  return code.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/.*|\/\*[\s\S]*?\*\//g,
    (all, text) => (text === undefined ? all.replace(/[^\n]/g, " ") : all),
  );
}
