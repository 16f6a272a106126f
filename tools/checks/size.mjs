// How large files and lines may be: what fits on a screen is read, the rest is scrolled past.
//
// Exceptions: generated files, rows of tables in Markdown, and a line with a single word, such as a URL.

import { files, read } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

const MOST_LINES = 400;
const MOST_COLUMNS = 120;

const CODE = /\.(ts|mjs|sh|c|h|cc)$|^(build\.sh|\.ci\/run|bench\/.*\/run)$/;
const PROSE = /\.md$/;
/** Made by tools/docs.mjs, as long as there are options. */
const GENERATED = new Set(["docs/options.md"]);

/** What has fewer lines than others. */
const MOST_LINES_OF = [
  [/^ARCHITECTURE\.md$/, 150],
  [/^(asm|runtime|preload|cli)\/[\w/]*README\.md$/, 60],
];

const isTableRow = (line) => line.trimStart().startsWith("|");
const isOneWord = (line) => !/\S\s+\S/.test(line.replace(/^[\s>*#/-]+/, ""));

/** @returns {Violation[]} */
export function checkSize(root) {
  const found = [];
  for (const file of files(root)) {
    if (!CODE.test(file) && !PROSE.test(file)) continue;
    const lines = read(root, file).split("\n");
    const most = MOST_LINES_OF.find(([pattern]) => pattern.test(file))?.[1] ?? MOST_LINES;
    const count = lines.at(-1) === "" ? lines.length - 1 : lines.length;
    if (count > most && !GENERATED.has(file)) {
      found.push({
        file,
        line: most + 1,
        what: `has ${count} lines, more than ${most}: what is a job of its own here?`,
      });
    }
    for (const [i, line] of lines.entries()) {
      const { length } = [...line];
      if (length <= MOST_COLUMNS || isOneWord(line) || (PROSE.test(file) && isTableRow(line))) continue;
      found.push({ file, line: i + 1, what: `has ${length} columns, more than ${MOST_COLUMNS}` });
    }
  }
  return found;
}
