// Estimates from a sample: what each record counts as, the sums over them, and how often the margin holds.

import assert from "node:assert/strict";
import { test } from "node:test";
import { margin } from "../../../runtime/stores/sample.js";
import { openSource, type Store } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource, randomNumbers } from "../../support/stores.js";

const MEAN = 524288;

/** Two stacks: many small blocks, and few large ones that were certain to be recorded. */
function sampled(core: WebAssembly.Module): Store {
  const store = new StoreBuilder({ sampleBytes: BigInt(MEAN) });
  const app = store.module("/app", { bias: 0x5500_0000_0000n });
  const small = store.stack([store.frame(app, 0x10n)]);
  const large = store.stack([store.frame(app, 0x20n)]);
  let address = 0x1000n;
  const record = (size: number, stack: number, kind = 0) => {
    address += 0x1000n;
    store.record({ address, size, stack, kind, time: address });
  };
  for (let i = 0; i < 3; i++) record(1000, small);
  record(MEAN, large);
  record(100 * MEAN, large);
  record(4096, large, 1);
  record(0, 0);
  record(MEAN, 0, 2);
  return openSource(memorySource(store.image()), "sampled.store", core);
}

// 1 / (1 − e^−1) and 1 / (1 − e^(−1000/524288)), from a calculator with thirty digits.
const ONE_MEAN = 1.581976706869326;
const THOUSAND = 524.7881589457098;

for (const [build, core] of Object.entries(coreBuilds)) {
  test(`each record counts as what it stands for (${build})`, async () => {
    const store = sampled(core);
    const { stacks, matched } = await store.query({ aggregate: true, sort: "size" });
    const small = 3 * THOUSAND * 1000;
    const large = ONE_MEAN * MEAN + 100 * MEAN + 4096;
    const unknown = ONE_MEAN * MEAN;
    assert.deepEqual(
      stacks.map(({ stackId, count, bytes }) => ({ stackId, count, bytes })),
      [
        { stackId: 0, count: Math.round(MEAN + 0.5 + ONE_MEAN), bytes: Math.round(unknown) },
        { stackId: 1, count: Math.round(3 * THOUSAND), bytes: Math.round(small) },
        { stackId: 2, count: Math.round(2 + ONE_MEAN), bytes: Math.round(large) },
      ],
    );
    // A block of zero bytes counts as one of one byte.
    assert.equal(matched.count, Math.round(3 * THOUSAND + 2 + ONE_MEAN + (MEAN + 0.5) + ONE_MEAN));
    assert.equal(matched.bytes, Math.round(small + large + unknown));
    const variance = (size: number, weight: number) => size ** 2 * weight * (weight - 1);
    const smallVariance = 3 * variance(1000, THOUSAND);
    const meanVariance = variance(MEAN, ONE_MEAN);
    const smallSpread = 1000 * (THOUSAND - 1);
    const meanSpread = MEAN * (ONE_MEAN - 1);
    assert.deepEqual(
      [...stacks, matched].map((row) => row.margin),
      [
        margin(meanVariance, meanSpread),
        margin(smallVariance, smallSpread),
        margin(meanVariance, meanSpread),
        margin(2 * meanVariance + smallVariance, smallSpread),
      ],
    );
    const totals = store.totals();
    assert.deepEqual([totals.liveCount, totals.liveBytes], [matched.count, matched.bytes]);
  });

  test(`orders, filters and lists of a sample (${build})`, async () => {
    const store = sampled(core);
    const byCount = await store.query({ aggregate: true, sort: "count" });
    assert.deepEqual(
      byCount.stacks.map((row) => row.stackId),
      [2, 1, 0],
    );
    // A filter looks at the size that was asked for, not at what the record stands for.
    const filtered = await store.query({ aggregate: true, sort: "count", minSize: 1000, maxSize: 4096 });
    assert.deepEqual(
      filtered.stacks.map(({ stackId, count, margin }) => [stackId, count, margin! > 0]),
      [
        [2, 1, false],
        [1, Math.round(3 * THOUSAND), true],
      ],
    );
    const list = await store.query({ aggregate: false, sort: "size", maxSize: 1000 });
    assert.deepEqual(
      list.allocations.map((row) => row.size),
      [0, 1000, 1000, 1000],
    );
    assert.equal(list.matched.bytes, Math.round(3000 * THOUSAND));
    assert.ok(list.matched.margin! > 0);
    const chosen = await store.query({
      aggregate: true,
      sort: "size",
      selectStacks: async (ids) => Uint8Array.from(ids, (id) => Number(id === 2)),
    });
    assert.deepEqual([chosen.stacks.length, chosen.matched.bytes], [1, chosen.stacks[0]!.bytes]);
  });
}

test("what stands for more than any memory is damage", async () => {
  for (const size of [0, 1, 1 << 20]) {
    const store = new StoreBuilder({ sampleBytes: 1n << 60n });
    store.record({ address: 16n, size });
    const reader = openSource(memorySource(store.image()), "sampled.store");
    await assert.rejects(reader.query({ aggregate: true, sort: "size" }), {
      name: "StoreError",
      message: /larger than any memory is what is live with record 1;/,
    });
  }
});

test("nothing that was certain to be recorded has a margin", () => {
  assert.equal(margin(0, 0), 0);
  // And what has one does not get less of it by lying beside what was certain: only its own records count.
  assert.equal(margin(1e12, 1e5), Math.ceil(3.29 * (164500 + Math.sqrt(1e12 + 164500 ** 2))));
});

test("the margin holds 999 times of 1000, also where a stack has few records", () => {
  const random = randomNumbers(7);
  const unit = () => (random(2 ** 26) + 0.5) / 2 ** 26;
  const poisson = (mean: number) => {
    let count = 0;
    let left = mean + Math.log(unit());
    while (left > 0) {
      count++;
      left += Math.log(unit());
    }
    return count;
  };
  // Blocks far smaller than the mean: the number of records is a Poisson variable, and each stands for MEAN bytes.
  for (const expected of [10, 20, 50, 200]) {
    const truth = expected * MEAN;
    let outside = 0;
    let plainlyOutside = 0;
    const draws = 20_000;
    for (let i = 0; i < draws; i++) {
      const records = poisson(expected);
      const off = Math.abs(records * MEAN - truth);
      if (off > margin(records * MEAN ** 2, records === 0 ? 0 : MEAN)) outside++;
      if (off > 3.29 * Math.sqrt(records) * MEAN) plainlyOutside++;
    }
    assert.ok(outside <= draws / 1000, `${outside} of ${draws} estimates from ${expected} records are outside`);
    // The reason why it is not just 3.29 standard deviations.
    if (expected <= 20) assert.ok(plainlyOutside > (3 * draws) / 1000, `only ${plainlyOutside} plain ones`);
  }
});
