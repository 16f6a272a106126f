// What the library notes of clocks that are set, and of a machine that sleeps: preload/store/calendar.c with a clock of
// the test's own, in a time namespace that is 5 s behind and, by the boot clock, 7 s ahead.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { before, test } from "node:test";
import { compiler, noCompiler } from "../../support/programs.js";
import { root, temporaryFolder } from "../../support/run.js";

const program = join(temporaryFolder(), "calendar");

before(() => {
  if (noCompiler) return;
  const sources = ["test/runtime/stores/calendar.c", "preload/store/calendar.c"].map((name) => join(root, name));
  const [zig, ...words] = compiler("zig").c;
  const built = spawnSync(zig!, [...words, "-std=gnu11", "-I", join(root, "build"), ...sources, "-o", program]);
  assert.equal(built.status, 0, String(built.stderr));
});

/** Seconds: monotonic, wall, boottime. */
type Reading = [number, number, number];
const START: Reading = [100, 50_000, 400];
const STARTED = "start 50000 95 400 300\n";
const CHILD = "child 50000 99";

/** The wall clock 1000 s ahead more each time, so many times. */
const often = (times: number, apart: (i: number) => number): Reading[] =>
  Array.from({ length: times }, (_, i) => [100 + apart(i), 50_000 + apart(i) + 1000 * (i + 1), 400 + apart(i)]);
const told = (its: Reading[]) => its.map(([monotonic, wall]) => `jump ${monotonic - 100} ${wall}\n`).join("");

const CASES: [what: string, looks: Reading[], calendar: string][] = [
  ["nothing", [], `${STARTED}seen 0 300\n${CHILD} 0\n`],
  ["steady clocks", [[110, 50_010, 410]], `${STARTED}seen 10 300\n${CHILD} 0\n`],
  // The first look is at once; the next not before a second has gone by.
  [
    "looks in between",
    [
      [100, 50_000, 400],
      [100.9, 60_000, 400.9],
    ],
    `${STARTED}seen 0 300\n${CHILD} 0\n`,
  ],
  ["put forward", [[110, 78_810, 410]], `${STARTED}seen 10 300\njump 10 78810\n${CHILD} 1\n`],
  ["put back", [[110, 46_410, 410]], `${STARTED}seen 10 300\njump 10 46410\n${CHILD} 1\n`],
  [
    "slewed by a little",
    [
      [110, 50_010.4, 410],
      [120, 50_019.6, 420],
    ],
    `${STARTED}seen 20 300\n${CHILD} 0\n`,
  ],
  [
    "a leap second",
    [
      [110, 50_009, 410],
      [120, 50_019, 420],
    ],
    `${STARTED}seen 20 300\njump 10 50009\n${CHILD} 1\n`,
  ],
  ["8 h of sleep", [[110, 78_810, 29_210]], `${STARTED}seen 10 29100\njump 10 78810\n${CHILD} 1\n`],
  [
    "there and back",
    [
      [110, 50_110, 410],
      [120, 50_020, 420],
    ],
    `${STARTED}seen 20 300\njump 10 50110\njump 20 50020\n${CHILD} 2\n`,
  ],
  [
    "as often as there is room",
    often(12, (i) => 10 * i + 10),
    `${STARTED}seen 120 300\n${told(often(12, (i) => 10 * i + 10))}${CHILD} 12\n`,
  ],
  // Of the sixth and seventh, which are closest, the sixth goes.
  [
    "once more",
    often(13, (i) => 10 * i + (i === 5 ? 15 : 10)),
    `${STARTED}seen 130 300\n` +
      `${told(often(13, (i) => 10 * i + (i === 5 ? 15 : 10)).filter((_, i) => i !== 5))}${CHILD} 12\n`,
  ],
];

for (const [what, looks, calendar] of CASES) {
  test(`the calendar of a store: ${what}`, { skip: noCompiler }, () => {
    const input = [START, ...looks].map((reading) => `${reading.join(" ")}\n`).join("");
    const { stdout, stderr, status } = spawnSync(program, { input, encoding: "utf8" });
    assert.deepEqual([stdout, stderr, status], [calendar, "", 0]);
  });
}
