// Places that grow in step under one caller are one finding.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../../../runtime/host/types.js";
import type { Finding } from "../../../runtime/reports/finding.js";
import { commonFunction, joinInStep } from "../../../runtime/reports/instep.js";

let nextId = 1;

function frame(name: string, line = 1): Frame {
  return { address: "0x1", module: "/srv/app", offset: "0x1", function: name, file: "a.c", line, inlined: false };
}

/** "f:7 g main": the place f at line 7, called by g and main. */
function finding(path: string, perBucket: number[] | number, more: Partial<Finding> = {}): Finding {
  const [place, ...callers] = path.split(" ");
  const [name, line] = place!.split(":");
  const counts = typeof perBucket === "number" ? new Array<number>(16).fill(perBucket) : perBucket;
  const count = counts.reduce((sum, each) => sum + each, 0);
  const totals = { smallest: 8, largest: 8, allocations: count, allocatedBytes: 8 * count, frees: 0, freedBytes: 0 };
  return {
    frame: frame(name!, Number(line ?? 1)),
    own: true,
    kind: "growing",
    bytes: 8 * count,
    count,
    rate: 60,
    births: { counts, bytes: counts.map((each) => 8 * each), ...totals },
    oldest: 0n,
    newest: 0n,
    stacks: 1,
    stackId: nextId++,
    callers: callers.map((caller) => frame(caller)),
    ...more,
  };
}

const early = [160, ...new Array<number>(15).fill(0)];

const cases: [string, Finding[], string[]][] = [
  [
    "lines of one function",
    [finding("open:31 work", 20), finding("open:35 work", 80), finding("open:32 work", 20)],
    ["open:35 3"],
  ],
  ["functions under one caller", [finding("peer handle serve", 10), finding("name handle serve", 10)], ["peer:1 2"]],
  ["only main in common", [finding("a main", 10), finding("b main", 10)], ["a:1 1", "b:1 1"]],
  ["both in main itself", [finding("main:3", 10), finding("main:4", 20)], ["main:4 2"]],
  ["nothing in common", [finding("a f", 10), finding("b g", 10)], ["a:1 1", "b:1 1"]],
  ["numbers that do not fit", [finding("f:1", 10), finding("f:2", 15)], ["f:1 1", "f:2 1"]],
  [
    "other times",
    [finding("f:1", 10, { kind: "filled" }), finding("f:2", early, { kind: "filled" })],
    ["f:1 1", "f:2 1"],
  ],
  ["other kinds", [finding("f:1", 10), finding("f:2", 10, { kind: "filled" })], ["f:1 1", "f:2 1"]],
  ["a library", [finding("f:1", 10), finding("f:2", 10, { own: false })], ["f:1 1", "f:2 1"]],
  ["estimates", [finding("f:1", 10, { margin: 5 }), finding("f:2", 10, { margin: 5 })], ["f:1 1", "f:2 1"]],
  ["too few", [finding("f:1", [1, 1]), finding("f:2", [1, 1])], ["f:1 1", "f:2 1"]],
];

for (const [name, findings, expected] of cases) {
  test(`in step or not: ${name}`, () => {
    const joined = joinInStep(findings);
    assert.deepEqual(
      joined.map(({ frame: its, inStep }) => `${its!.function}:${its!.line} ${inStep?.length ?? 1}`),
      expected,
    );
    const sum = (all: readonly Finding[]) => all.reduce((total, { bytes }) => total + bytes, 0);
    assert.equal(sum(joined), sum(findings));
  });
}

test("the function that all have in common", () => {
  const [joined] = joinInStep([finding("peer handle serve", 20), finding("name make handle serve", 10)]);
  assert.equal(commonFunction(joined!)!.function, "handle");
  assert.deepEqual([joined!.rate, joined!.births.counts[3], joined!.stacks], [120, 30, 2]);
  assert.equal(commonFunction(finding("f", 10)), null);
});
