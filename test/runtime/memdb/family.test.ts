// Who may descend from an ended process: what its store's header and a newcomer's identity tell.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import { mayDescend } from "../../../runtime/memdb/family.js";

const SECOND = 100n;

/** Process 1000 lived from second 50 to 60 since boot, and 1200 was the newest process then. */
function header(newest = 1200): DataView {
  const page = new DataView(new ArrayBuffer(L.HEADER_BYTES));
  page.setUint32(L.HEADER_PID, 1000, true);
  page.setBigUint64(L.HEADER_PROCESS_START, 50n * SECOND, true);
  page.setBigUint64(L.HEADER_START_MONOTONIC, 50_010_000_000n, true);
  page.setBigUint64(L.HEADER_END_TIME, 9_990_000_000n, true);
  page.setUint32(L.HEADER_END_NEWEST_PID, newest, true);
  return page;
}

/** By a store of 1.4: the machine slept for 20 s before it began, and for 5 s afterwards. */
function slept(): DataView {
  const page = header();
  page.setBigUint64(L.HEADER_START_MONOTONIC, 30_010_000_000n, true);
  page.setBigUint64(L.HEADER_START_BOOTTIME, 50_010_000_000n, true);
  page.setBigUint64(L.HEADER_START_SUSPENDED, 20_000_000_000n, true);
  page.setBigUint64(L.HEADER_SUSPENDED, 25_000_000_000n, true);
  page.setBigUint64(L.HEADER_END_TIME, 4_990_000_000n, true);
  return page;
}

const CASES: [string, number, bigint, boolean][] = [
  ["started before it", 1100, 49n * SECOND, false],
  ["started in the same tick, before it", 999, 50n * SECOND, false],
  ["started in the same tick, before it and before the ids began anew", 32700, 50n * SECOND, false],
  ["started in the same tick, after it", 1001, 50n * SECOND, true],
  ["started while it lived", 1100, 55n * SECOND, true],
  ["started long after its end", 1100, 70n * SECOND, false],
  ["started as it ended, before the end", 1200, 60n * SECOND, true],
  ["started as it ended, after the end", 1201, 60n * SECOND, false],
  ["the same number again", 1000, 55n * SECOND, false],
  ["a start that is not known", 1100, 0n, false],
];

test("started before, while, and after it lived", () => {
  for (const [what, pid, start, expected] of CASES) {
    const process = { pid, start, namespace: 1n, bootId: new Uint8Array(16) };
    assert.equal(mayDescend(process, header()), expected, what);
    assert.equal(mayDescend(process, slept()), expected, what);
  }
});

test("the ids began anew between its end and the start", () => {
  const process = { pid: 301, start: 60n * SECOND, namespace: 1n, bootId: new Uint8Array(16) };
  assert.equal(mayDescend(process, header(32700)), false);
});
