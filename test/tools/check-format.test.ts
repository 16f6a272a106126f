// That tools/checks/format.mjs can fail: asm/FORMAT.md and asm/layout.ts, each wrong in one place.

import assert from "node:assert/strict";
import test from "node:test";
import { FORMAT, LAYOUT, says, tree } from "./tree.js";

const FORMATS: [string, (format: string) => string, (layout: string) => string, string[]][] = [
  ["both the same", (f) => f, (l) => l, []],
  [
    "another offset",
    (f) => f,
    (l) => l.replace("THING_SIZE = 8", "THING_SIZE = 4"),
    ["asm/FORMAT.md:15: THING_SIZE is 8 here and 4 in asm/layout.ts"],
  ],
  [
    "a field that overlaps",
    (f) => f.replace("| 8 | 4 |", "| 8 | 8 |"),
    (l) => l,
    ["asm/FORMAT.md:16: THING_FLAGS overlaps the field before it, which ends at 16"],
  ],
  [
    "a gap",
    (f) => f.replace("| 0 | 8 |", "| 0 | 4 |"),
    (l) => l,
    ["asm/FORMAT.md:15: a gap before THING_SIZE, from 4 to 8"],
  ],
  [
    "another record size",
    (f) => f.replace("things | 16", "things | 24"),
    (l) => l.replace("THING_BYTES = 16", "THING_BYTES = 24"),
    ["asm/FORMAT.md:16: the fields end at 16, THING_BYTES in asm/layout.ts is 24"],
  ],
  [
    "a field that is not described",
    (f) => f,
    (l) => l.replace("export const THING_BYTES", "export const THING_OWNER = 16;\nexport const THING_BYTES"),
    ["asm/layout.ts:11: THING_OWNER is in no table of asm/FORMAT.md"],
  ],
  [
    "a record that is not described",
    (f) => f,
    (l) => `${l}\nexport const OTHER_FIELD = 0;\nexport const OTHER_BYTES = 8;\n`,
    ["asm/layout.ts:16: OTHER_FIELD is in no table of asm/FORMAT.md"],
  ],
  [
    "a field that does not exist",
    (f) => f.replace("THING_FLAGS", "THING_COLOUR"),
    (l) => l,
    [
      "asm/FORMAT.md:16: THING_COLOUR is not in asm/layout.ts",
      "asm/layout.ts:10: THING_FLAGS is in no table of asm/FORMAT.md",
    ],
  ],
  [
    "a number in the text",
    (f) => f.replace("(4096)", "(4097)"),
    (l) => l,
    ["asm/FORMAT.md:2: BLOCK_BYTES is 4097 here and 4096 in asm/layout.ts"],
  ],
  [
    "a region elsewhere",
    (f) => f.replace("| 512 | 256 |", "| 513 | 255 |"),
    (l) => l,
    [
      "asm/FORMAT.md:6: PROCESS_OFFSET is 513 here and 512 in asm/layout.ts",
      "asm/FORMAT.md:6: PROCESS_BYTES is 255 here and 256 in asm/layout.ts",
    ],
  ],
  [
    "another kind",
    (f) => f.replace("| 1 | things", "| 2 | things"),
    (l) => l,
    ["asm/FORMAT.md:10: KIND_THINGS is 2 here and 1 in asm/layout.ts"],
  ],
];

for (const [name, format, layout, expected] of FORMATS) {
  test(`format: ${name}`, () => {
    const place = tree({ "asm/FORMAT.md": format(FORMAT), "asm/layout.ts": layout(LAYOUT) });
    assert.deepEqual(says("checkFormat", place), expected);
  });
}
