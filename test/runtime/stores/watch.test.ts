// Looks at a store that changes: what grew, what shrank, and when it ends.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import { openSource } from "../../../runtime/stores/store.js";
import { growth, type Look, watch } from "../../../runtime/stores/watch.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { memorySource, ownIdentity } from "../../support/stores.js";

const row = (stackId: number, bytes: number, count: number) => ({ stackId, bytes, count, oldest: 0n, newest: 0n });

test("growth: new, gone, changed and unchanged stacks, the largest growth last", () => {
  assert.deepEqual(
    growth(
      [row(1, 10, 1), row(2, 20, 2), row(3, 30, 3), row(4, 8, 1)],
      [row(2, 50, 3), row(3, 30, 3), row(4, 8, 2), row(5, 5, 1)],
    ),
    [
      { stackId: 1, bytes: 0, count: 0, moreBytes: -10, moreCount: -1 },
      { stackId: 4, bytes: 8, count: 2, moreBytes: 0, moreCount: 1 },
      { stackId: 5, bytes: 5, count: 1, moreBytes: 5, moreCount: 1 },
      { stackId: 2, bytes: 50, count: 3, moreBytes: 30, moreCount: 1 },
    ],
  );
  assert.deepEqual(growth([], []), []);
});

/** A running process with a leak of a block for each wait. */
function leaking(): { store: ReturnType<typeof openSource>; leak(): void; end(): void } {
  const builder = new StoreBuilder(ownIdentity());
  const app = builder.module("/app");
  const stacks = [builder.stack([builder.frame(app, 1n)]), builder.stack([builder.frame(app, 2n)])];
  const slots = [];
  for (let i = 0; i < 8; i++) {
    slots.push(
      builder.record({ address: BigInt(i + 1) * 16n, size: 100, time: BigInt(i), stack: stacks[i === 0 ? 0 : 1]! }),
    );
  }
  const image = builder.image();
  const view = new DataView(image.buffer);
  const blocks = view.getUint32(L.HEADER_BLOCK_COUNT, true);
  let records = 0;
  for (let block = 1; block < blocks; block++) {
    const kind = view.getUint32(L.BLOCK_TABLE_OFFSET + 4 * block, true) >>> L.BLOCK_ENTRY_KIND_SHIFT;
    if (kind === L.KIND_RECORDS) records = block * L.BLOCK_BYTES;
  }
  const address = (slot: number) => records + slot * L.RECORD_BYTES + L.RECORD_ADDRESS;
  const hidden = slots.slice(1).map((slot) => ({ slot, value: view.getBigUint64(address(slot), true) }));
  for (const { slot } of hidden) view.setBigUint64(address(slot), 0n, true);
  return {
    store: openSource(memorySource(image), "leaking.store"),
    leak() {
      const { slot, value } = hidden.shift()!;
      view.setBigUint64(address(slot), value, true);
    },
    end() {
      view.setUint32(L.HEADER_END_KIND, L.END_EXIT, true);
      view.setUint32(L.HEADER_PID, 0x7fffffff, true);
    },
  };
}

async function all(looks: AsyncGenerator<Look>): Promise<Look[]> {
  const found = [];
  for await (const look of looks) found.push(look);
  return found;
}

test("watch: as many looks as were asked for, each compared with the one before", async () => {
  const { store, leak } = leaking();
  const wait = async () => {
    leak();
    leak();
  };
  const looks = await all(watch(store, {}, 3, wait, () => 5n));
  assert.deepEqual(looks, [
    { time: 5n, running: true, bytes: 100, count: 1 },
    {
      time: 5n,
      running: true,
      bytes: 300,
      count: 3,
      growth: { bytes: 200, count: 2, stacks: [{ stackId: 2, bytes: 200, count: 2, moreBytes: 200, moreCount: 2 }] },
    },
    {
      time: 5n,
      running: true,
      bytes: 500,
      count: 5,
      growth: { bytes: 200, count: 2, stacks: [{ stackId: 2, bytes: 400, count: 4, moreBytes: 200, moreCount: 2 }] },
    },
  ]);
});

test("watch: ends with the process, after a last look", async () => {
  const { store, leak, end } = leaking();
  let waits = 0;
  const wait = async () => {
    leak();
    if (++waits === 2) end();
  };
  const looks = await all(watch(store, {}, Infinity, wait));
  assert.deepEqual(
    looks.map(({ running, bytes }) => [running, bytes]),
    [
      [true, 100],
      [true, 200],
      [false, 300],
    ],
  );
});
