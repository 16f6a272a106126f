// Births: when what is live of each stack was allocated, counted in core.wasm.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import type { StackWalks } from "../../../runtime/stores/stackwalks.js";
import { openSource } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource } from "../../support/stores.js";

const SPAN = 1600n;

/** Every stack by itself. */
async function each(walks: StackWalks) {
  return walks.gather(
    Uint32Array.from({ length: walks.count }, (_, i) => i),
    walks.count,
  );
}

/** Two stacks in one page of sums and one far away; each has blocks of its own sizes and times. */
function store(module: WebAssembly.Module, sampleBytes = 0n) {
  const builder = new StoreBuilder({ sampleBytes });
  const frame = builder.frame(builder.module("/nowhere/app"), 0x10n);
  const totals = { allocations: 100n, allocatedBytes: 5000n, frees: 90n, freedBytes: 4000n };
  const first = builder.stack([frame], totals);
  const second = builder.stack([builder.frame(1, 0x20n)]);
  for (let i = 0; i < 5000; i++) builder.stack([]);
  const far = builder.stack([builder.frame(1, 0x30n)]);
  let address = 16n;
  const born = (stack: number, time: bigint, size: number, kind = L.MEMORY_HEAP) => {
    builder.record({ address, size, time, stack, kind });
    address += 16n;
  };
  for (let i = 0n; i < 16n; i++) born(first, i * 100n, 10);
  born(first, 99n, 30);
  born(second, 1599n, 8, L.MEMORY_MMAP);
  builder.freeSlot();
  born(second, 5_000_000n, 8, L.MEMORY_MMAP);
  born(far, 700n, 0);
  return { store: openSource(memorySource(builder.image()), "a.store", module), first, second, far };
}

for (const [build, module] of Object.entries(coreBuilds)) {
  test(`every record is born in its part of the life (${build})`, async () => {
    const { store: opened, first, second, far } = store(module);
    const asked = { aggregate: true, sort: "size", births: SPAN } as const;
    const { places, matched } = await opened.query(asked, each);
    assert.deepEqual(matched, { count: 20, bytes: 206 });
    const of = (id: number) => places.find(({ stackId }) => stackId === id)!.births;
    assert.deepEqual(of(first), {
      counts: [2, ...new Array<number>(15).fill(1)],
      bytes: [40, ...new Array<number>(15).fill(10)],
      smallest: 10,
      largest: 30,
      allocations: 100,
      allocatedBytes: 5000,
      frees: 90,
      freedBytes: 4000,
    });
    // What is younger than the life is in its last part.
    assert.deepEqual(of(second).counts, [...new Array<number>(15).fill(0), 2]);
    assert.deepEqual([of(far).counts[7], of(far).smallest, of(far).largest], [1, 0, 0]);
    // Nobody pays for what was not asked for, and the next answer is not mixed up with this one.
    const plain = await opened.query({ aggregate: true, sort: "size" });
    assert.deepEqual(
      plain.stacks.sort((a, b) => a.stackId - b.stackId),
      places.map(({ births: _, place: __, stacks: ___, ...row }) => row),
    );
  });

  test(`births of a filtered and of a sampled store (${build})`, async () => {
    const whole = store(module);
    const asked = { aggregate: true, sort: "size", births: SPAN } as const;
    const { places } = await whole.store.query({ ...asked, minSize: 20 }, each);
    assert.deepEqual(
      places.map(({ stackId, births }) => [stackId, births.counts[0], births.smallest]),
      [[whole.first, 1, 30]],
    );
    const sampled = store(module, 1000n);
    const answer = await sampled.store.query(asked, each);
    const row = answer.places.find(({ stackId }) => stackId === sampled.first)!;
    assert.equal(row.births.counts[0], 2);
    // A record of 10 bytes stands for about a hundred such, 1005 bytes.
    assert.equal(Math.round(row.births.bytes[5]!), 1005);
    assert.equal(Math.round(row.births.bytes.reduce((sum, bytes) => sum + bytes, 0)), row.bytes);
    // Mappings are always recorded.
    assert.equal(answer.places.find(({ stackId }) => stackId === sampled.second)!.births.bytes[15], 16);
  });
}
