// Which changes are regressions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { diff, type Status } from "../../../runtime/snapshots/diff.js";
import { type Limits, regressions } from "../../../runtime/snapshots/verdict.js";
import { held, snapshot } from "../../support/snapshots.js";

const base = snapshot(
  held(10, 1000, "grew_a_bit@a.c:1"),
  held(10, 1000, "grew_much@a.c:2"),
  held(1, 64, "went@a.c:3"),
  held(2, 64, "halved@a.c:4"),
  held(1, 8, "stayed@a.c:5"),
);
const head = snapshot(
  held(11, 1050, "grew_a_bit@a.c:1"),
  held(30, 3000, "grew_much@a.c:2"),
  held(1, 32, "halved@a.c:4"),
  held(1, 8, "stayed@a.c:5"),
  held(1, 24, "came@a.c:6"),
);
const USUAL = new Set<Status>(["new", "grown"]);

const cases: [string, Limits, string[]][] = [
  ["new and grown", { failOn: USUAL }, ["grew_much", "grew_a_bit", "came"]],
  ["new only", { failOn: new Set<Status>(["new"]) }, ["came"]],
  ["grown only", { failOn: new Set<Status>(["grown"]) }, ["grew_much", "grew_a_bit"]],
  ["none", { failOn: new Set<Status>() }, []],
  [
    "any",
    { failOn: new Set<Status>(["new", "grown", "shrunk", "fixed"]) },
    ["grew_much", "grew_a_bit", "came", "halved", "went"],
  ],
  ["from 25 bytes on", { failOn: USUAL, minBytes: 25 }, ["grew_much", "grew_a_bit"]],
  ["from 50 bytes on", { failOn: USUAL, minBytes: 50 }, ["grew_much", "grew_a_bit"]],
  ["from 51 bytes on", { failOn: USUAL, minBytes: 51 }, ["grew_much"]],
  ["from 2 allocations on", { failOn: USUAL, minCount: 2 }, ["grew_much"]],
  ["5 % more is allowed", { failOn: USUAL, maxGrowth: { percent: 5 } }, ["grew_much", "came"]],
  ["4.9 % more is allowed", { failOn: USUAL, maxGrowth: { percent: 4.9 } }, ["grew_much", "grew_a_bit", "came"]],
  ["2000 bytes more are allowed", { failOn: USUAL, maxGrowth: { bytes: 2000 } }, ["came"]],
  ["1999 bytes more are allowed", { failOn: USUAL, maxGrowth: { bytes: 1999 } }, ["grew_much", "came"]],
];
for (const [name, limits, expected] of cases) {
  test(`verdict: ${name}`, () => {
    const found = regressions(diff(base, head), limits);
    assert.deepEqual(
      found.map(({ row }) => row.stack[0]!.function),
      expected,
    );
  });
}

test("verdict: with a third snapshot only what grew again counts, moved lines or not", () => {
  const third = snapshot(
    held(11, 1050, "grew_a_bit@a.c:1"),
    held(50, 5000, "grew_much@elsewhere/a.c:2"),
    held(1, 8, "stayed@a.c:5"),
    held(2, 48, "came@a.c:8"),
    held(1, 500, "late@a.c:9"),
  );
  const found = regressions(diff(base, head), { failOn: USUAL }, diff(head, third));
  assert.deepEqual(
    found.map(({ row }) => row.stack[0]!.function),
    ["grew_much", "came"],
  );
});
