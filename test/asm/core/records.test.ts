// Records piece by piece: settling two reads, and what a scan sums up. The filters are tested with whole stores
// (test/runtime/stores/store.test.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import { Core } from "../../../runtime/stores/core.js";
import { putRecord, type RecordFields } from "../../support/store-fields.js";
import { coreBuilds } from "../../support/stores.js";

const one: RecordFields = { address: 16n, size: 7, time: 3n, thread: 5, stack: 0 };

function put(core: Core, where: "PIECE" | "SECOND", records: RecordFields[]): void {
  for (const [i, record] of records.entries()) putRecord(core.view, core.constant[where] + i * L.RECORD_BYTES, record);
}

function scanned(core: Core, count: number, stacks = 1): { count: number; bytes: number; newest: bigint } {
  core.call.beginScan(core.constant.COLLECT_NOTHING, 0, 0);
  core.checked(core.call.scan(0, count, stacks));
  return { count: core.call.liveCount(), bytes: core.call.liveBytes(), newest: core.call.newestTime() };
}

for (const [build, module] of Object.entries(coreBuilds)) {
  test(`settle counts the records that differ in any word (${build})`, () => {
    const core = new Core(module, "a.store");
    const others = [{ address: 32n }, { size: 8 }, { time: 4n }, { thread: 6 }, { stack: 1 }, { kind: 1 }];
    put(core, "PIECE", [one, ...others.map(() => one)]);
    put(core, "SECOND", [one, ...others.map((other) => ({ ...one, ...other }))]);
    core.call.setOpen(1);
    assert.equal(core.call.settle(7), 6);
    // The later read has been taken over: the same again is settled.
    assert.equal(core.call.settle(7), 0);
    // What is settled stays, whatever comes.
    put(core, "SECOND", [{ ...one, size: 1000 }]);
    assert.equal(core.call.settle(7), 0);
    assert.deepEqual(scanned(core, 7, 2), { count: 7, bytes: 7 * 6 + 8, newest: 4n });
  });

  test(`a slot that is free in the later read is free (${build})`, () => {
    const core = new Core(module, "a.store");
    put(core, "PIECE", [one, { ...one, stack: 99 }]);
    put(core, "SECOND", [
      { ...one, address: 0n },
      { ...one, address: 0n, size: 99 },
    ]);
    core.call.setOpen(1);
    assert.equal(core.call.settle(2), 0);
    assert.deepEqual(scanned(core, 2), { count: 0, bytes: 0, newest: 0n });
  });

  test(`a record that makes no sense is damage, unless it is open (${build})`, () => {
    const core = new Core(module, "a.store");
    const wrong = [
      { ...one, stack: 1 },
      { ...one, kind: 3 },
      { ...one, size: 1n << 53n },
    ];
    for (const record of wrong) {
      put(core, "PIECE", [one, record]);
      core.call.setOpen(0);
      assert.throws(() => scanned(core, 2), { message: /there can be no allocation as in record 1;/ });
      core.call.setOpen(1);
      assert.deepEqual(scanned(core, 2), { count: 1, bytes: 7, newest: 3n });
    }
  });

  test(`stack 0 is the unknown stack also where there are no stacks yet (${build})`, () => {
    const core = new Core(module, "a.store");
    put(core, "PIECE", [one]);
    assert.equal(scanned(core, 1, 0).count, 1);
  });
}
