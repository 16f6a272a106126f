// Orders of stacks by what the store counted of them over time: allocations, temporaries, bytes at the peak.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Query, SortOrder } from "../../../runtime/host/types.js";
import { openSource, type Store } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource } from "../../support/stores.js";

/** The process has noted five peaks. Stacks 1 and 2 have live allocations, stacks 3 and 4 have none any more. */
function counted(core: WebAssembly.Module): Store {
  const store = new StoreBuilder({ peakNumber: 5 });
  const app = store.module("/app");
  const frame = (offset: bigint) => [store.frame(app, offset)];
  // Changed since the newest peak, and held 700 bytes then.
  const one = store.stack(frame(1n), { allocations: 9n, temporaries: 1n, peakBytes: 700n, peakNumber: 5 });
  // Unchanged since: what it holds now it held then, whatever it held at an older peak.
  const two = store.stack(frame(2n), {
    allocations: 4n,
    temporaries: 2n,
    allocatedBytes: 100n,
    freedBytes: 60n,
    peakBytes: 9999n,
    peakNumber: 4,
  });
  store.stack(frame(3n), { allocations: 6n, peakBytes: 300n, peakNumber: 5 });
  // Freed before the newest peak: it held nothing then.
  store.stack(frame(4n), {
    allocations: 5n,
    temporaries: 5n,
    allocatedBytes: 80n,
    freedBytes: 80n,
    peakBytes: 5000n,
    peakNumber: 3,
  });
  // Its writer was in the middle of something: freed bytes are ahead.
  store.stack(frame(5n), { allocatedBytes: 8n, freedBytes: 16n, peakBytes: 5000n, peakNumber: 2 });
  store.record({ address: 16n, size: 16, stack: one });
  store.record({ address: 32n, size: 40, stack: two });
  return openSource(memorySource(store.image()), "counted.store", core);
}

for (const [build, core] of Object.entries(coreBuilds)) {
  const rows = async (sort: SortOrder, more: Partial<Query> = {}) => {
    const { stacks } = await counted(core).query({ aggregate: true, sort, ...more });
    return stacks.map(({ stackId, total, count }) => [stackId, total, count]);
  };

  test(`stacks with live allocations by their totals (${build})`, async () => {
    assert.deepEqual(await rows("allocations"), [
      [2, 4, 1],
      [1, 9, 1],
    ]);
    assert.deepEqual(await rows("temporary"), [
      [1, 1, 1],
      [2, 2, 1],
    ]);
    assert.deepEqual(await rows("peak"), [
      [2, 40, 1],
      [1, 700, 1],
    ]);
    assert.deepEqual(await rows("peak", { top: 1 }), [[1, 700, 1]]);
    assert.deepEqual(await rows("size"), [
      [1, undefined, 1],
      [2, undefined, 1],
    ]);
  });

  test(`all stacks by their totals (${build})`, async () => {
    const freedStacks = true;
    assert.deepEqual(await rows("allocations", { freedStacks }), [
      [2, 4, 1],
      [4, 5, 0],
      [3, 6, 0],
      [1, 9, 1],
    ]);
    // Without a total of its own, a stack is only there for what is live.
    assert.deepEqual(await rows("temporary", { freedStacks }), [
      [1, 1, 1],
      [2, 2, 1],
      [4, 5, 0],
    ]);
    assert.deepEqual(await rows("peak", { freedStacks }), [
      [2, 40, 1],
      [3, 300, 0],
      [1, 700, 1],
    ]);
    assert.deepEqual(await rows("size", { freedStacks }), [
      [1, undefined, 1],
      [2, undefined, 1],
    ]);
    assert.deepEqual(await rows("allocations", { freedStacks, top: 2 }), [
      [3, 6, 0],
      [1, 9, 1],
    ]);
  });

  test(`all stacks by their totals, some of them chosen (${build})`, async () => {
    const store = counted(core);
    const { stacks, matched } = await store.query({
      aggregate: true,
      sort: "allocations",
      freedStacks: true,
      selectStacks: async (ids) => {
        assert.deepEqual([...ids], [1, 2, 3, 4]);
        return Uint8Array.from(ids, (id) => Number(id > 1));
      },
    });
    assert.deepEqual(
      stacks.map((row) => row.stackId),
      [2, 4, 3],
    );
    assert.deepEqual(matched, { count: 1, bytes: 40 });
    assert.deepEqual((await store.query({ aggregate: true, sort: "count" })).stacks.length, 2);
  });
}

test("temporaries of the whole process", () => {
  assert.equal(counted(coreBuilds.debug).temporaryCount(), 8);
});
