// Sums by stack where stacks are numbered sparsely: memory follows the stacks that occur, not their numbers.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import { Core } from "../../../runtime/stores/core.js";
import { putRecord } from "../../support/store-fields.js";
import { coreBuilds } from "../../support/stores.js";

const STACKS_MAX = L.BLOCK_MAX_COUNT * (L.BLOCK_BYTES / L.STACK_BYTES);

function sum(core: Core, stacks: number[]): void {
  for (const [i, stack] of stacks.entries()) {
    putRecord(core.view, core.constant.PIECE + i * L.RECORD_BYTES, { address: 16n, size: 1, time: BigInt(i), stack });
  }
  core.call.beginScan(core.constant.COLLECT_SUMS, 0, 0);
  core.checked(core.call.scan(0, stacks.length, STACKS_MAX));
}

function ids(core: Core): number[] {
  const list = core.address(core.call.listStackIds());
  return Array.from({ length: core.call.stackIdCount() }, (_, i) => core.view.getUint32(list + 4 * i, true));
}

for (const [build, module] of Object.entries(coreBuilds)) {
  test(`stacks at both ends and on the borders of pages (${build})`, () => {
    const core = new Core(module, "a.store");
    const stacks = [STACKS_MAX - 1, 0, 4095, 4096, 5_000_000, 4095, 0];
    core.call.beginSums();
    sum(core, stacks);
    assert.deepEqual(ids(core), [0, 4095, 4096, 5_000_000, STACKS_MAX - 1]);
    assert.ok(core.view.byteLength < 16 << 20, `${core.view.byteLength} bytes for five stacks`);

    core.call.beginEntries(0xffffffff);
    core.call.beginStacks();
    core.checked(core.call.collectStacks(0, STACKS_MAX, core.constant.ORDER_COUNT, 0));
    const rows = core.address(core.call.stackRows(core.constant.ORDER_COUNT));
    const { ROW_STACK, ROW_COUNT, ROW_OLDEST, ROW_NEWEST } = core.constant;
    const row = (i: number) => [
      core.view.getUint32(rows + 32 * i + ROW_STACK, true),
      core.view.getUint32(rows + 32 * i + ROW_COUNT, true),
      core.view.getBigUint64(rows + 32 * i + ROW_OLDEST, true),
      core.view.getBigUint64(rows + 32 * i + ROW_NEWEST, true),
    ];
    assert.deepEqual(row(3), [0, 2, 1n, 6n]);
    assert.deepEqual(row(4), [4095, 2, 2n, 5n]);
    assert.deepEqual(row(2), [STACKS_MAX - 1, 1, 0n, 0n]);
  });

  test(`a core that is used again has forgotten everything (${build})`, () => {
    const core = new Core(module, "a.store");
    core.call.beginSums();
    sum(core, [1, 2, 3, 4_000_000]);
    core.call.releaseAll();
    core.call.beginSums();
    assert.deepEqual(ids(core), []);
    sum(core, [2]);
    assert.deepEqual(ids(core), [2]);
  });
}

test("stacks without number end in a clear line", () => {
  // One stack in each page: 128 KiB for every record.
  const core = new Core(coreBuilds.release, "a.store");
  core.call.beginSums();
  const pages = Array.from({ length: 8192 }, (_, i) => i * 4096);
  assert.throws(
    () => {
      for (let piece = 0; piece < 3; piece++)
        sum(
          core,
          pages.map((stack) => stack + piece * 8192 * 4096),
        );
    },
    { name: "StoreError", message: /more call stacks than fit in memory; use --top, -a or narrower filters/ },
  );
});
