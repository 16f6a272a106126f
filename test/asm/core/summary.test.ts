// Sums over thread slots: all slots count, also free ones, in 64 bits. The timeline is in
// test/runtime/stores/store.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSource } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource } from "../../support/stores.js";

for (const [build, module] of Object.entries(coreBuilds)) {
  test(`1024 thread slots, more than 32 bits in each (${build})`, () => {
    const builder = new StoreBuilder();
    for (let i = 0; i < 1024; i++) {
      builder.thread({ state: i % 3, allocations: 2n ** 33n + BigInt(i), allocatedBytes: 2n ** 40n });
    }
    const store = openSource(memorySource(builder.image()), "a.store", module);
    const { allocatedCount, allocatedBytes } = store.totals();
    assert.equal(allocatedCount, 1024 * 2 ** 33 + (1023 * 1024) / 2);
    assert.equal(allocatedBytes, 2 ** 50);
    assert.equal(store.info().threadSlots, 1024);
  });
}
