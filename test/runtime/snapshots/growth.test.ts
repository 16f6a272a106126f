// Growth: slopes, confidence, and kinds of series.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ascending, type GrowthKind, growthOf, kindOf, slope } from "../../../runtime/snapshots/growth.js";
import { held, randomNumbers, snapshot } from "../../support/snapshots.js";

test("growth: confidence of three looks, of ties, of many", () => {
  assert.equal(ascending([1, 2, 3]).toFixed(6), (5 / 6).toFixed(6));
  assert.equal(ascending([3, 2, 1]), 0);
  assert.equal(ascending([1, 3, 2]).toFixed(6), (1 / 2).toFixed(6));
  assert.equal(ascending([1, 2, 3, 4]).toFixed(6), (23 / 24).toFixed(6));
  assert.equal(ascending([1, 2, 3, 4, 5]).toFixed(6), (119 / 120).toFixed(6));
  assert.ok(ascending([2, 2, 2]) <= 0.5);
  assert.ok(ascending(Array.from({ length: 40 }, (_, i) => i)) > 0.999999);
});

test("growth: the slope is the median of pairs, and one odd look does not bend it", () => {
  assert.equal(slope([0, 1, 2], [10, 20, 30]), 10);
  assert.equal(slope([0, 1, 2, 3, 4], [0, 10, 1000, 30, 40]), 10);
  assert.equal(slope([0, 2, 3], [0, 20, 30]), 10);
});

const series: [string, number[], GrowthKind][] = [
  ["a straight line", [100, 200, 300, 400, 500], "growing"],
  ["three looks", [100, 200, 300], "growing"],
  ["a line that is not quite straight", [100, 230, 290, 420, 480, 610], "growing"],
  ["from nothing", [0, 10, 20, 30], "growing"],
  ["a cache", [0, 800, 990, 1000, 1000, 1000], "levelled"],
  ["a pool that was filled at once", [0, 1000, 1000, 1000], "levelled"],
  ["up and down", [100, 500, 100, 500, 100], "bursty"],
  ["up and down and a little more", [100, 500, 200, 600, 300], "bursty"],
  ["one jump in the end", [100, 100, 100, 100, 900], "bursty"],
  ["constant", [100, 100, 100], "flat"],
  ["nearly constant", [1000, 1010, 1000, 1020], "flat"],
  ["downwards", [500, 400, 300, 200], "shrinking"],
  ["freed in the end", [500, 600, 700, 0], "bursty"],
];
for (const [name, values, expected] of series) {
  test(`growth: ${name}`, () => assert.equal(kindOf(values, ascending(values)), expected));
}

test("growth: noisy lines are found, noise alone is not: 500 of each", () => {
  const random = randomNumbers(4711);
  let found = 0;
  let wrong = 0;
  for (let i = 0; i < 500; i++) {
    const noise = () => random(2000) - 1000;
    const line = Array.from({ length: 12 }, (_, k) => 100_000 + k * 1000 + noise());
    const level = Array.from({ length: 12 }, () => 100_000 + 20 * noise());
    // Less than a twentieth of what is held counts as no change: the line is what came on top.
    if (
      kindOf(
        line.map((value) => value - 99_000),
        ascending(line),
      ) === "growing"
    )
      found++;
    if (kindOf(level, ascending(level)) === "growing") wrong++;
  }
  assert.ok(found >= 475, `${found} of 500 lines found`);
  assert.ok(wrong <= 50, `${wrong} of 500 taken for lines`);
});

test("growth: stacks over looks, what grows fastest first; absent is nothing", () => {
  const hour = 3_600_000;
  const looks = [0, 1, 2, 3].map((i) => ({
    time: i * hour,
    snapshot: snapshot(
      held(1, 100, "flat@a.c:1"),
      held(i + 1, 1000 * (i + 1), "leak@a.c:2"),
      held(1, 100 + 5000 * i, "worse@a.c:3"),
      ...(i > 0 ? [held(1, i === 1 ? 990 : 1000, "cache@a.c:4")] : []),
    ),
  }));
  assert.deepEqual(
    growthOf(looks).map(({ kind, row, bytes, slope: per }) => [kind, row.stack[0]!.function, bytes, Math.round(per)]),
    [
      ["growing", "worse", [100, 5100, 10100, 15100], 5000],
      ["growing", "leak", [1000, 2000, 3000, 4000], 1000],
      ["levelled", "cache", [0, 990, 1000, 1000], 172],
      ["flat", "flat", [100, 100, 100, 100], 0],
    ],
  );
});
