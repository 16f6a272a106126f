// Small trees of files, each broken in one place, and what the checks of tools/check.mjs say about them.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, temporaryFolder } from "../support/run.js";

interface Violation {
  file: string;
  line: number;
  what: string;
}

type Check = (root: string) => Violation[];

const { CHECKS: checks }: { CHECKS: Record<string, Check> } = await import(
  pathToFileURL(join(root, "tools/check.mjs")).href
);

const folder = temporaryFolder();
let trees = 0;

/** A new folder with these files. */
export function tree(contents: Record<string, string>): string {
  const place = join(folder, String(trees++));
  for (const [path, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(place, path)), { recursive: true });
    writeFileSync(join(place, path), content);
  }
  return place;
}

/** What a check says of a tree, one line for each violation. */
export function says(check: string, place: string): string[] {
  return checks[check]!(place).map(({ file, line, what }) => `${file}:${line}: ${what}`);
}

/** A description of a format, and the layout that it describes. */
export const FORMAT = `# Formats
A block is \`BLOCK_BYTES\` (4096) long.

| region | offset | bytes |
|---|---|---|
| process | 512 | 256 |

| kind | array | bytes |
|---|---|---|
| 1 | things | 16 |

| field | offset | size | meaning |
|---|---|---|---|
| \`THING_ADDRESS\` | 0 | 8 | where |
| \`THING_SIZE\` | 8 | 4 | how much |
| \`THING_FLAGS\` | 12 | 4 | bit 0: big |
`;

export const LAYOUT = `export const BLOCK_BYTES = 4096;
export const PROCESS_OFFSET = 512;
export const PROCESS_BYTES = 256;

export const KIND_THINGS = 1;

// A thing.
export const THING_ADDRESS = 0;
export const THING_SIZE = 8;
export const THING_FLAGS = 12;
export const THING_BYTES = 16;

// THING_FLAGS.
export const THING_FLAG_BIG = 1;
`;
